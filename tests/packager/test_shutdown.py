"""Commands end in time: a graph that never answers is stopped, and whoever ends a command waits two seconds at most."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.deadline import clock
from mlpack_toolkit.packager.errors import UsageError
from tests.packager.bundle.graphs import LONG, NEVER, SLOW, hostile, put_graph
from tests.packager.conftest import Made

ROOT = Path(__file__).parents[2]
TOO_LATE = "gave no answer within 1 s and was stopped; where it needs more time, set the variable MLPACK_GRAPH_SECONDS"
NOT_LOADED = "did not load the graph within 1 s and was stopped"


@pytest.fixture(scope="module")
def hostiles(flowers: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundle of flowers with each of the graphs in place of its own."""
    folder = tmp_path_factory.mktemp("hostiles")
    found = {kind: Path(shutil.copytree(flowers.folder, folder / str(i))) for i, kind in enumerate((NEVER, LONG, SLOW))}
    for kind, place in found.items():
        put_graph(place, kind)
    return found


def start(folder: Path, *arguments: object, **variables: str) -> subprocess.Popen[str]:
    """`mlpack` with a folder of its own for what is temporary."""
    (folder / "scratch").mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "scratch"), **variables}
    command = [sys.executable, "-m", "mlpack_toolkit", *map(str, arguments)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, cwd=folder, env=environment, **pipes)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    ("kind", "command", "code", "said"),
    [
        (NEVER, "verify", 5, TOO_LATE),
        (NEVER, "bench", 5, TOO_LATE),
        (NEVER, "diff", 5, TOO_LATE),
        (LONG, "predict", 5, TOO_LATE),
        (SLOW, "verify", 8, NOT_LOADED),
    ],
)
def test_what_never_answers_is_stopped(
    kind: str, command: str, code: int, said: str, hostiles: dict[str, Path], flowers: Made, tmp_path: Path
) -> None:
    more = {"predict": [flowers.example, "-o", "out.csv"], "diff": [flowers.folder]}.get(command, [])
    process = start(tmp_path, command, hostiles[kind], *more, MLPACK_GRAPH_SECONDS="1")
    assert said in process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert not list((tmp_path / "scratch").iterdir()) and [p.name for p in tmp_path.iterdir()] == ["scratch"]


@pytest.mark.parametrize(
    ("kind", "command", "number"),
    [
        (LONG, "predict", signal.SIGTERM),
        (LONG, "diff", signal.SIGINT),
        (SLOW, "bench", signal.SIGTERM),
    ],
)
def test_whoever_ends_a_command_need_not_wait(
    kind: str, command: str, number: int, hostiles: dict[str, Path], flowers: Made, tmp_path: Path
) -> None:
    more = {"predict": [flowers.example, "-o", "out.csv"], "diff": [flowers.folder]}.get(command, [])
    process = start(tmp_path, command, hostiles[kind], *more)
    _busy(process)
    assert _ended(process, number) < patience()
    assert process.returncode == 128 + number
    assert not list((tmp_path / "scratch").iterdir()) and [p.name for p in tmp_path.iterdir()] == ["scratch"]


def test_a_build_of_what_never_answers_ends_with_its_worker(flowers: Made, tmp_path: Path) -> None:
    (tmp_path / "never.onnx").write_bytes(hostile(NEVER))
    process = start(tmp_path, "build", "never.onnx", "--example", flowers.example, "-o", "dist")
    _busy(process)
    below = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert _ended(process, signal.SIGTERM) < patience()
    assert process.returncode == 143 and not list((tmp_path / "scratch").iterdir())
    assert below and not any(map(_lives, below)) and not (tmp_path / "dist").exists()


def _busy(process: subprocess.Popen[str]) -> None:
    """Waits until the command and those below it have computed for longer than starting takes."""
    for _ in range(600):
        time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        if _seconds(process.pid) > 3:
            return
    raise AssertionError("it does nothing")


def _seconds(process: int) -> float:
    """Processor time of a process and its children."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") + sum(_seconds(int(child)) for child in below)


def _lives(process: str) -> bool:
    """Whether it runs: what nobody has waited for is still listed."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def patience() -> float:
    """Two seconds; more where other programs wait for the processors too, such as other tests."""
    return 2.0 if os.getloadavg()[0] <= 1.5 * (os.cpu_count() or 1) else 8.0


def _ended(process: subprocess.Popen[str], number: int) -> float:
    start = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=30)
    return time.monotonic() - start


@pytest.mark.parametrize("said", ["soon", "0", "-1", "nan", "1e99"])
def test_a_clock_must_be_a_number(said: str, flowers: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPACK_GRAPH_SECONDS", said)
    clock.cache_clear()
    try:
        with pytest.raises(UsageError, match="MLPACK_GRAPH_SECONDS must be a number of seconds above 0"):
            check_bundle(flowers.folder, (), "cpu", lambda step: None)
    finally:
        clock.cache_clear()
