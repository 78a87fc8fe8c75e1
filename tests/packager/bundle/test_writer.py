"""A bundle is written whole or not at all, and twice the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.bundle import writer
from mlpack_toolkit.packager.bundle.golden import GoldenCase, encode_case
from mlpack_toolkit.packager.bundle.manifest import canonical
from mlpack_toolkit.packager.bundle.reader import Bundle, check_files, open_bundle
from mlpack_toolkit.packager.bundle.writer import write_bundle
from mlpack_toolkit.packager.errors import DamagedError, MismatchError, UsageError
from tests.make import build_model
from tests.packager.bundle.facts import FACTS
from tests.packager.conftest import Made

ROOT = Path(__file__).parents[3]
FILES: dict[str, bytes | Path] = {
    **{f"folder-{i % 3}/file-{i}": bytes([i]) * 1000 for i in range(9)},
    "model/source/a.onnx": b"graph",
    "model/model.onnx": b"graph",
    "reports/verification.json": b"{}",
}
MEASURED_FILES: dict[str, bytes | Path] = {
    "evidence/measurements/latency.json": b"{}",
    "evidence/report.html": b"<p>",
}


def whole(place: Path) -> None:
    check_files(open_bundle(place))


def test_written_bundle_is_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"copied")
    manifest = write_bundle(tmp_path / "new" / "a-1", FACTS, {**FILES, "model/source/m": source}, MEASURED_FILES)
    whole(tmp_path / "new" / "a-1")
    assert [e.path for e in manifest.files] == sorted([*FILES, "model/source/m"])
    assert (tmp_path / "new" / "a-1" / "model" / "source" / "m").read_bytes() == b"copied"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a-1"]


def test_measurements_are_no_part_of_the_identity(tmp_path: Path) -> None:
    one = write_bundle(tmp_path / "one", FACTS, FILES, MEASURED_FILES)
    two = write_bundle(tmp_path / "two", FACTS, FILES, {**MEASURED_FILES, "evidence/measurements/latency.json": b"[1]"})
    assert one.identity == two.identity
    other = write_bundle(tmp_path / "three", FACTS, {**FILES, "folder-0/file-0": b""}, MEASURED_FILES)
    assert other.identity != one.identity


@pytest.mark.parametrize("kind", ["file", "folder", "empty folder"])
def test_what_lies_there_stays(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "a-1"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        if kind == "folder":
            (place / "mine").write_text("mine")
    with pytest.raises(UsageError, match="exists already: give another --version or --output"):
        write_bundle(place, FACTS, FILES, MEASURED_FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["a-1"]
    assert kind == "empty folder" or (place if kind == "file" else place / "mine").read_text() == "mine"


def test_of_two_at_once_one_wins(tmp_path: Path) -> None:
    place = tmp_path / "a-1"

    def write(i: int) -> str:
        try:
            return write_bundle(place, FACTS, {**FILES, "who": str(i).encode()}, MEASURED_FILES).identity
        except UsageError:
            return ""

    with ThreadPoolExecutor(6) as pool:
        won = [identity for identity in pool.map(write, range(6)) if identity]
    whole(place)
    assert won == [open_bundle(place).identity]
    assert [p.name for p in tmp_path.iterdir()] == ["a-1"]


def test_all_is_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename
    names = {}

    def record_fsync(descriptor: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def record_rename(old: Path, new: Path) -> None:
        names["old"] = {str(old), *map(str, old.rglob("*"))}
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr(writer.os, "fsync", record_fsync)
    monkeypatch.setattr(writer.os, "rename", record_rename)
    write_bundle(tmp_path / "a-1", FACTS, FILES, MEASURED_FILES)
    at = done.index("rename")
    assert set(done[:at]) == names["old"]
    assert done[at + 1 :] == [str(tmp_path)]


CRASH_EVERYWHERE = """
import os, signal, sys
from pathlib import Path
from mlpack_toolkit.packager.bundle.writer import write_bundle
from tests.packager.bundle.test_writer import FACTS, FILES, MEASURED_FILES, whole

EVENTS = ("open", "os.mkdir", "os.rename", "os.chmod", "os.rmdir", "os.remove", "tempfile.mkdtemp", "shutil.copyfile")
place = Path(sys.argv[1]) / "a-1"

def child(last):
    count = 0
    def hook(event, args):
        nonlocal count
        if event in EVENTS:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    write_bundle(place, FACTS, FILES, MEASURED_FILES)
    os._exit(0)

crashes = 0
while True:
    pid = os.fork()
    if not pid:
        child(crashes + 1)
    status = os.waitpid(pid, 0)[1]
    if place.exists():
        whole(place)
        if os.WIFEXITED(status):
            break
        place.rename(place.with_name(f"whole-{crashes}"))
    crashes += 1
assert os.WEXITSTATUS(status) == 0
print(crashes, sorted(p.name for p in place.parent.iterdir()))
"""


def test_killed_at_each_of_its_steps(tmp_path: Path) -> None:
    """The process is killed before its first look at the disk, then before its second, and so on to the last."""
    command = [sys.executable, "-c", CRASH_EVERYWHERE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    crashes = int(done.stdout.split()[0])
    assert crashes > 3 * len(FILES)
    left = {p.name for p in tmp_path.iterdir()}
    assert "a-1" in left and all(name == "a-1" or name.startswith("whole-") for name in left)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        write_bundle(tmp_path / "a-1", FACTS, {**FILES, "z": tmp_path / "nowhere"}, MEASURED_FILES)
    assert not list(tmp_path.iterdir())


def test_what_was_written_is_proved_before_it_has_a_name(tmp_path: Path) -> None:
    """Opened from its folder and replayed; what fails there leaves nothing, an answer of its own says why."""
    seen = []

    def replay(bundle: Bundle) -> None:
        seen.append((bundle.place.parent, bundle.read("model/model.onnx"), (tmp_path / "a-1").exists()))

    write_bundle(tmp_path / "a-1", FACTS, FILES, MEASURED_FILES, replay=replay)
    assert seen == [(tmp_path, b"graph", False)]

    def differs(bundle: Bundle) -> None:
        raise MismatchError(f"case-000 of {bundle.place.name} differs", worst=[1])

    with pytest.raises(MismatchError, match=r"a-2 was not written, .* verify: case-000 of a-2 differs") as caught:
        write_bundle(tmp_path / "a-2", FACTS, FILES, MEASURED_FILES, replay=differs)
    assert caught.value.facts == {"worst": [1]} and [p.name for p in tmp_path.iterdir()] == ["a-1"]


@pytest.mark.parametrize("kind", ["changed", "missing", "extra"])
def test_a_file_that_is_not_as_it_was_to_be_written(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk, or another process, that changes a file between its writing and the end of the build."""
    write = Path.write_bytes

    def faulty(path: Path, content: bytes) -> int:
        if path.name == "file-4" and kind == "changed":
            return write(path, content[:-1] + b"x")
        if path.name == "file-4" and kind == "extra":
            write(path.with_name("own"), b"")
        return 0 if path.name == "file-4" and kind == "missing" else write(path, content)

    monkeypatch.setattr(Path, "write_bytes", faulty)
    with pytest.raises(DamagedError, match=rf"a-1 was not written, .*{kind}: folder-1/"):
        write_bundle(tmp_path / "a-1", FACTS, FILES, MEASURED_FILES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("part", "code"), [("answer", 5), ("case", 8), ("graph", 8)])
def test_a_build_proves_what_it_wrote(
    part: str, code: int, flowers: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was proved is right; what goes into the files is not."""

    def altered(case: GoldenCase, *others: Any) -> dict[str, bytes]:
        files = encode_case(case, *others)
        response = f"{case.identifier}.response.json"
        plain = json.loads(files[response])
        if part == "answer" and case.answers:
            plain["outputs"][-1]["data"] = [x + 1e-3 for x in plain["outputs"][-1]["data"]]
        elif part == "case":
            plain["outputs"] = plain.get("outputs", [])[:1]
        return {**files, response: canonical(plain)}

    monkeypatch.setattr("mlpack_toolkit.packager.bundle.assemble.encode_case", altered)
    if part == "graph":
        fill = writer._fill
        monkeypatch.setattr(writer, "_fill", lambda folder, files: fill(folder, {**files, **_other_graph(files)}))
    with pytest.raises((MismatchError, DamagedError), match=r"flowers-1.0.0 was not written, because") as caught:
        build_model(flowers.model, flowers.example, tmp_path / "dist")
    assert caught.value.exit_code == code
    assert not list((tmp_path / "dist").iterdir())


def _other_graph(files: Any) -> dict[str, bytes]:
    return {"model/model.onnx": b"no graph"} if "model/model.onnx" in files else {}


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder in which this process may not write."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name) / "closed"
        folder.mkdir()
        Path(name).chmod(0o755)
        folder.chmod(0o555)
        was = os.geteuid()
        if was == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(was)


@pytest.mark.parametrize("below", ["a-1", "new/a-1"])
def test_a_closed_folder_is_said_so(below: str, closed: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written: .*closed is not a folder that you may write to"):
        write_bundle(closed / below, FACTS, FILES, MEASURED_FILES)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"cannot be written: .*file is not a folder"):
        write_bundle(tmp_path / "file" / "a-1", FACTS, FILES, MEASURED_FILES)


def test_sweeps_what_the_dead_left_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f".a-1.{dead.pid}.x.partial": False,
        f".a-1.{os.getpid()}.x.partial": True,
        f".a-10.{dead.pid}.x.partial": True,
        f".b-1.{dead.pid}.x.partial": True,
        "a-1.partial": True,
    }
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    write_bundle(tmp_path / "a-1", FACTS, FILES, MEASURED_FILES)
    assert {name: (tmp_path / name).exists() for name in names} == names


def command(made: Made, output: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "mlpack_toolkit", "build", str(made.model), "--example", str(made.example)),
        *("-o", str(output), "--target", "cpp", "--json"),
    ]


def environment(scratch: Path, **more: str) -> dict[str, str]:
    scratch.mkdir(exist_ok=True)
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), **more}


def test_built_twice_the_same_bytes(flowers: Made, tmp_path: Path) -> None:
    """Another folder, clock zone, umask, hash seed, locale and working directory."""
    for name, options, umask in (
        ("one", {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"}, 0o022),
        ("two", {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "COLUMNS": "40"}, 0o077),
    ):
        cwd = tmp_path / name
        cwd.mkdir()
        done = subprocess.run(
            command(flowers, Path("out")),
            env=environment(tmp_path / "scratch", **options),
            cwd=cwd,
            umask=umask,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
    one, two = (tmp_path / n / "out" / "flowers-1.0.0" for n in ("one", "two"))
    assert contents(one) == contents(two)
    assert open_bundle(one).identity == open_bundle(two).identity
    assert not list((tmp_path / "scratch").iterdir())


def contents(bundle: Path) -> dict[str, bytes]:
    found = {p.relative_to(bundle).as_posix(): p.read_bytes() for p in sorted(bundle.rglob("*")) if p.is_file()}
    return {name: raw for name, raw in found.items() if not name.startswith("evidence/")}


def processes_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd").startswith(str(folder)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def gone(folder: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while processes_in(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_builds_killed_at_random_moments(flowers: Made, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Real builds, killed softly and hard: the bundle is there and whole, or it is not there."""
    output, scratch = tmp_path / "out", tmp_path / "scratch"
    place = output / "flowers-1.0.0"
    options = environment(scratch)
    start = time.monotonic()
    assert subprocess.run(command(flowers, output), env=options, capture_output=True, timeout=120).returncode == 0
    whole_time = time.monotonic() - start
    rename_away(place)
    # One moment in each twelfth of the build (fourth in `make test`): spread over all of it, and other ones each time.
    parts = 12 if pytestconfig.getoption("--full") else 4
    moments = (np.arange(parts) + np.random.default_rng().random(parts)) / parts * whole_time
    for i, moment in enumerate(moments):
        number = (signal.SIGKILL, signal.SIGTERM)[i % 2]
        process = subprocess.Popen(
            command(flowers, output), env=options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moment)
        process.send_signal(number)
        code = process.wait(60)
        assert code in (0, -number, 128 + number), f"{number!r} after {moment:.2f} s ended with {code}"
        assert gone(scratch, 20), f"a worker lives on, {number!r} after {moment:.2f} s"
        if place.exists():
            whole(place)
            rename_away(place)
        else:
            assert code != 0
        if number == signal.SIGTERM:
            assert not list(scratch.iterdir()), f"scratch left, SIGTERM after {moment:.2f} s of {whole_time:.2f} s"
        for left in scratch.iterdir():
            assert left.name.startswith("mlpack-")
            rename_away(left)
    assert subprocess.run(command(flowers, output), env=options, capture_output=True, timeout=120).returncode == 0
    whole(place)
    assert [p.name for p in output.iterdir()] == [place.name]


def rename_away(place: Path) -> None:
    place.rename(Path(tempfile.mkdtemp(dir=place.parent.parent)) / place.name)
