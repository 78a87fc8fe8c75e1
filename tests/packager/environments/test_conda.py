"""conda environments, from a channel made by hand: captured, locked, vendored, rebuilt, and refused when tampered."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.environments.conda import env as conda
from mlpack_toolkit.packager.environments.conda.archives import download
from mlpack_toolkit.packager.errors import DamagedError, EnvironmentFault, MissingToolError, UsageError

pytest.importorskip("rattler", reason="py-rattler is not installed: pip install 'mlpack-toolkit[conda]'")

from .channel import HERE, install, make_channel, solve

ADDRESS = "https://conda.example/plants"
BUD = {
    "name": "bud",
    "version": "0.3",
    "installer": "pip",
    "origin": "index",
    "requires": ["leaves>=1", "pytest; extra == 'test'"],
    "wheel": {"url": "https://files.example/bud-0.3-py3-none-any.whl", "sha256": "b" * 64},
}
LEAVES = {"name": "leaves", "version": "1.2", "installer": "conda", "origin": "conda"}


@dataclass(frozen=True)
class Made:
    """A channel in a folder, and an environment made from it."""

    channel: Path
    prefix: Path

    @property
    def records(self) -> tuple[conda.CondaRecord, ...]:
        return conda.records(self.prefix)

    @property
    def published(self) -> tuple[conda.CondaRecord, ...]:
        """The same packages as if the channel lay on a server."""
        return tuple(replace(r, channel=ADDRESS, url=f"{ADDRESS}/{r.path}", archive=None) for r in self.records)

    def fetch(self, url: str, target: Path) -> None:
        """What that server would do."""
        shutil.copyfile(self.channel / url.removeprefix(ADDRESS + "/"), target)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("conda")
    channel = make_channel(folder / "channel")
    return Made(channel, install(channel, folder / "prefix", "leaves"))


def write_bundle(folder: Path, records: tuple[conda.CondaRecord, ...], vendored: bool) -> Path:
    for path, content in conda.lock_files(records, [LEAVES, BUD], HERE).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if vendored:
        conda.vendor(records, None, folder / conda.CHANNEL)
    return folder


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    """A bundle that holds the archives."""
    return write_bundle(tmp_path / "bundle", made.records, vendored=True)


# What is installed


def test_what_conda_installed(made: Made) -> None:
    assert conda.is_conda(made.prefix)
    leaves, libleaf, python = made.records
    assert (leaves.name, leaves.version, leaves.build, leaves.subdir) == ("leaves", "1.2", "h0_0", "noarch")
    assert leaves.depends == ("python >=3.9", "python <4", "libleaf 2.*")
    assert (libleaf.file_name, libleaf.version, libleaf.licence) == ("libleaf-2.1-h0_0.tar.bz2", "2.1", "MIT")
    assert python.size == (made.channel / python.path).stat().st_size
    assert not conda.is_conda(made.channel)


def test_a_folder_of_the_machine_is_no_address(made: Made) -> None:
    for record in made.records:
        assert (record.url, record.channel) == ("", "")
        assert str(made.channel) not in repr(record)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("https://{user}:{password}@conda.example/x/noarch/a-1-0.conda", "https://conda.example/x/noarch/a-1-0.conda"),
        ("https://conda.example/t/an-1234/x/noarch/a-1-0.conda", "https://conda.example/x/noarch/a-1-0.conda"),
        ("https://conda.example/t/an-1234/noarch/a-1-0.conda", "https://conda.example/noarch/a-1-0.conda"),
        ("https://conda.example/t/noarch/a-1-0.conda?key=1#x", "https://conda.example/t/noarch/a-1-0.conda"),
        ("file:///srv/channel/noarch/a-1-0.conda", ""),
        ("C:/channel/noarch/a-1-0.conda", ""),
        ("", ""),
    ],
)
def test_addresses_hold_no_secret(given: str, clean: str) -> None:
    url = given.format(user="anna", password="se%40cret")
    assert conda.clean_url(url, "noarch") == clean


def edit(prefix: Path, name: str, **changes: Any) -> None:
    path = next((prefix / "conda-meta").glob(f"{name}-*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_package_without_sha256_is_named(made: Made, tmp_path: Path) -> None:
    prefix = shutil.copytree(made.prefix, tmp_path / "prefix")
    edit(prefix, "libleaf", sha256=None)
    with pytest.raises(EnvironmentFault, match=r"no sha256 for libleaf 2\.1 .*reinstall it"):
        conda.records(prefix)


@pytest.mark.parametrize("changes", [{"fn": "../evil.conda"}, {"subdir": ".."}, {"depends": 7}, {"size": "many"}])
def test_what_is_no_record(made: Made, tmp_path: Path, changes: dict[str, Any]) -> None:
    prefix = shutil.copytree(made.prefix, tmp_path / "prefix")
    edit(prefix, "libleaf", **changes)
    with pytest.raises(EnvironmentFault, match=r"conda-meta/libleaf-2\.1-h0_0\.json is not a conda record"):
        conda.records(prefix)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"url": "https://conda.example/t/an-1234/x/noarch/libleaf-2.1-h0_0.tar.bz2", "md5": None, "license": None},
        {"noarch": "generic", "build_number": 7, "constrains": ["leaves >=1"], "timestamp": 1_600_000_000_123},
        {"version": "2024.1a_rc1", "build": "py311h1_7"},
        {"version": "1!2.0.post1", "depends": [], "size": None},
        {"sha256": "ABCDEF" + "0" * 58},
    ],
)
def test_records_are_read_as_py_rattler_reads_them(made: Made, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Ours needs no further 80 MB for a build; theirs is the measure."""
    import rattler

    prefix = shutil.copytree(made.prefix, tmp_path / "prefix")
    edit(prefix, "libleaf", **changes)
    (path,) = (prefix / "conda-meta").glob("libleaf-*.json")
    ours = next(r for r in conda.records(prefix) if r.name == "libleaf")
    theirs = rattler.PrefixRecord.from_path(path)
    moment = theirs.timestamp
    assert ours == conda.CondaRecord(
        name=theirs.name.source,
        version=str(theirs.version),
        build=str(theirs.build),
        channel=ours.channel,
        subdir=theirs.subdir,
        url=conda.clean_url(theirs.url, theirs.subdir),
        file_name=theirs.file_name,
        size=theirs.size or 0,
        md5=theirs.md5.hex() if theirs.md5 else "",
        sha256=theirs.sha256.hex() if theirs.sha256 else "",
        depends=tuple(theirs.depends),
        licence=theirs.license or "",
        build_number=theirs.build_number,
        constrains=tuple(theirs.constrains),
        noarch="generic" if theirs.noarch.generic else "python" if theirs.noarch.python else "",
        timestamp=round(moment.timestamp() * 1000) if moment else 0,
    )


# The lock


def test_the_lock_names_each_package_and_no_folder(made: Made) -> None:
    import yaml

    files = conda.lock_files(made.published, [LEAVES, BUD], "linux-x86_64")
    lock = yaml.safe_load(files["conda-lock.yml"])
    leaves, libleaf, _, bud = lock["package"]
    assert leaves["dependencies"] == {"libleaf": "2.*", "python": ">=3.9,<4"}
    assert leaves["url"] == f"{ADDRESS}/noarch/leaves-1.2-h0_0.conda"
    assert libleaf["hash"] == {"md5": made.records[1].md5, "sha256": made.records[1].sha256}
    assert (bud["manager"], bud["hash"], bud["dependencies"]) == ("pip", {"sha256": "b" * 64}, {"leaves": ">=1"})
    assert lock["metadata"]["channels"] == [{"url": ADDRESS, "used_env_vars": []}]
    assert {p["platform"] for p in lock["package"]} == {"linux-64"}


def test_two_locks_same_bytes_without_a_folder_of_the_machine(made: Made) -> None:
    once = conda.lock_files(made.records, [BUD, LEAVES], HERE)
    assert conda.lock_files(reversed(made.records), [LEAVES, BUD], HERE) == once
    assert not [path for path, content in once.items() if str(made.channel.parent).encode() in content]
    assert b"url: conda/noarch/leaves-1.2-h0_0.conda\n" in once[conda.LOCK]


def test_the_explicit_file(made: Made) -> None:
    """Each line after `@EXPLICIT` is as conda's own pattern wants it; what is needed stands before what needs it."""
    from rattler.explicit_environment import ExplicitEnvironmentSpec

    text = conda.lock_files(made.published, [BUD], HERE)[conda.EXPLICIT].decode()
    lines = text.splitlines()
    listed = lines[lines.index("@EXPLICIT") + 1 :]
    pattern = r"(?:(.+)(?:[/\\]))?([^/\\#]+(?:\.tar\.bz2|\.conda))(?:#(([0-9a-f]{32})|((sha256:)?([0-9a-f]{64}))))?$"
    matches = [re.fullmatch(pattern, line) for line in listed[:-1]]
    assert [m and m[2].split("-")[0] for m in matches] == ["libleaf", "python", "leaves"]
    assert [m and m[7] for m in matches] == [made.records[i].sha256 for i in (1, 2, 0)]
    assert listed[-1] == f"# pip bud @ {BUD['wheel']['url']} --hash=sha256:{'b' * 64}"  # type: ignore[index]
    parsed = ExplicitEnvironmentSpec.from_str(text)
    assert (str(parsed.platform), [p.url for p in parsed.packages]) == (HERE, listed[:-1])


def test_a_platform_that_conda_does_not_know(made: Made) -> None:
    with pytest.raises(EnvironmentFault, match="no packages for the platform linux-m68k"):
        conda.lock_files(made.records, [], "linux-m68k")
    words = ("linux-aarch64", "macosx-11.0-arm64", "win-amd64", "osx-64")
    assert [conda.conda_platform(p) for p in words] == ["linux-aarch64", "osx-arm64", "win-64", "osx-64"]


PARSER = """
import pathlib, sys
from conda_lock.lockfile import parse_conda_lock_file
for p in parse_conda_lock_file(pathlib.Path(sys.argv[1])).package:
    print(p.manager, p.name, p.version, p.build, p.platform, p.hash.sha256, p.url)
"""


@pytest.mark.slow
def test_conda_locks_own_parser_reads_it(made: Made, tmp_path: Path) -> None:
    """In an environment of its own: conda-lock brings sixty packages, and needs none of ours."""
    python = tmp_path / "env" / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    commands = [[*uv, "venv", "--python", sys.executable, str(tmp_path / "env")]]
    commands += [[*uv, "pip", "install", "--python", str(python), "--only-binary", ":all:", "conda-lock==4.0.3"]]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"conda-lock cannot be installed here: {done.stderr[-200:]}")
    write_bundle(tmp_path, made.published, vendored=False)
    done = subprocess.run(
        [python, "-I", "-c", PARSER, tmp_path / conda.LOCK], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    read = [line.split() for line in done.stdout.splitlines()]
    expected = [["conda", r.name, r.version, r.build, HERE, r.sha256, r.url] for r in made.published]
    assert sorted(read) == sorted([*expected, ["pip", "bud", "0.3", "None", HERE, "b" * 64, BUD["wheel"]["url"]]])  # type: ignore[index]


# The archives in the bundle


def test_the_vendored_archives_are_a_channel(made: Made, tmp_path: Path) -> None:
    files = conda.vendor(made.published, None, tmp_path / "conda", made.fetch)
    names = ["libleaf-2.1-h0_0.tar.bz2", "python-3.11.7-h0_0.conda", "repodata.json"]
    assert sorted(f.name for f in files if f.parent.name == HERE) == names
    chosen = solve(tmp_path / "conda", "leaves", "libleaf >=2")
    assert sorted(r.name.normalized for r in chosen) == ["leaves", "libleaf", "python"]
    assert {r.sha256.hex() for r in chosen} == {r.sha256 for r in made.records}


def test_the_package_cache_comes_first(made: Made, tmp_path: Path) -> None:
    """But for what it holds under the right name with the wrong content."""
    cache = tmp_path / "pkgs"
    cache.mkdir()
    for record in made.records:
        shutil.copyfile(made.channel / record.path, cache / record.file_name)
    (cache / "leaves-1.2-h0_0.conda").write_bytes(b"half an archive")
    fetched: list[str] = []

    def fetch(url: str, target: Path) -> None:
        fetched.append(url)
        made.fetch(url, target)

    conda.vendor(made.published, cache, tmp_path / "conda", fetch)
    assert fetched == [f"{ADDRESS}/noarch/leaves-1.2-h0_0.conda"]


def test_a_channel_that_serves_another_archive_now(made: Made, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"libleaf-2\.1-h0_0\.tar\.bz2 is no longer the installed one"):
        conda.vendor(made.published, None, tmp_path, lambda url, target: target.write_bytes(b"other") and None)


def test_an_archive_that_lies_nowhere_any_more(made: Made, tmp_path: Path) -> None:
    gone = [replace(r, archive=None) for r in made.records]
    with pytest.raises(EnvironmentFault, match=r"came from a folder, and no unchanged copy of it was found"):
        conda.vendor(gone, None, tmp_path)


@pytest.fixture
def server(made: Made) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(made.channel))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_downloading(made: Made, tmp_path: Path, server: str) -> None:
    download(f"{server}/noarch/leaves-1.2-h0_0.conda", tmp_path / "archive")
    assert (tmp_path / "archive").read_bytes() == (made.channel / "noarch/leaves-1.2-h0_0.conda").read_bytes()
    with pytest.raises(EnvironmentFault, match=r"/nothing\.conda cannot be fetched"):
        download(f"{server}/nothing.conda", tmp_path / "archive")
    with pytest.raises(EnvironmentFault, match="neither http nor https"):
        download((tmp_path / "archive").as_uri(), tmp_path / "archive")


# The environment rebuilt


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_rebuilt_from_the_bundle_alone(made: Made, bundle: Path, tmp_path: Path) -> None:
    place = tmp_path / "rebuilt" / "env"
    python = conda.rebuild(bundle, place)
    assert python == place / "bin" / "python"
    code = "import leaves; leaves.main()"
    assert subprocess.run([python, "-c", code], capture_output=True, text=True).stdout == "three leaves\n"
    assert subprocess.run([place / "bin" / "leaves"], capture_output=True, text=True).stdout == "three leaves\n"
    assert left(place.parent) == ["env"]
    same = [(r.name, r.version, r.build, r.sha256, r.md5, r.depends) for r in conda.records(place)]
    assert same == [(r.name, r.version, r.build, r.sha256, r.md5, r.depends) for r in made.records]


def test_no_file_knows_where_it_was_made(bundle: Path, tmp_path: Path) -> None:
    """It is made beside its place and renamed, so every path in it must already be the last one."""
    place = tmp_path / "env"
    conda.rebuild(bundle, place)
    assert str(place).encode() in (place / "bin" / "python").read_bytes()
    assert not [p for p in place.rglob("*") if p.is_file() and b".partial" in p.read_bytes()]


def test_rebuilt_from_its_addresses(made: Made, tmp_path: Path) -> None:
    """And its own lock is the one that it was made from, byte for byte."""
    bundle = write_bundle(tmp_path / "bundle", made.published, vendored=False)
    conda.rebuild(bundle, tmp_path / "env", made.fetch)
    again = conda.lock_files(conda.records(tmp_path / "env"), [BUD], HERE)
    assert again == {path: (bundle / path).read_bytes() for path in again}


OFFLINE = """
import socket, sys
from pathlib import Path
from mlpack_toolkit.packager.environments.conda.env import rebuild
print(rebuild(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_rebuilt_without_any_network(bundle: Path, tmp_path: Path) -> None:
    alone = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    root = Path(__file__).parents[3]
    command = [*alone, sys.executable, "-c", OFFLINE, str(bundle), str(tmp_path / "env")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)})
    assert done.stdout == f"{tmp_path / 'env' / 'bin' / 'python'}\n", done.stderr


def flip(path: Path) -> None:
    """The same size, another byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            flip,
            r"is not the archive that was locked: its sha256 is .{64}, not .{64}; nothing was installed",
        ),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), r"it has \d+ bytes, not \d+"),
        (Path.unlink, "is missing from the bundle: get the bundle again"),
    ],
)
def test_a_changed_archive_is_named_and_nothing_installed(
    bundle: Path, tmp_path: Path, damage: Any, sentence: str
) -> None:
    damage(bundle / "conda/noarch/leaves-1.2-h0_0.conda")
    with pytest.raises(DamagedError, match=rf"^conda/noarch/leaves-1\.2-h0_0\.conda .*{sentence}") as error:
        conda.rebuild(bundle, tmp_path / "env")
    assert error.value.exit_code == 8
    assert left(tmp_path) == ["bundle"]


def test_an_address_that_serves_another_archive(made: Made, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", made.published, vendored=False)
    with pytest.raises(DamagedError, match=rf"{ADDRESS}/noarch/leaves.* is not the archive that was locked"):
        conda.rebuild(bundle, tmp_path / "env", lambda url, target: target.write_bytes(b"other") and None)
    assert left(tmp_path) == ["bundle"]


def test_without_an_address_and_without_the_archive(made: Made, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", made.records, vendored=False)
    with pytest.raises(EnvironmentFault, match=r"came from a folder, so it has no address.*--vendor"):
        conda.rebuild(bundle, tmp_path / "env")


class Cut(BaseException):
    """As when someone presses Ctrl-C."""


def test_an_interrupted_rebuild_leaves_nothing(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rattler

    real = rattler.install

    async def cut(*arguments: Any, **options: Any) -> None:
        await real(*arguments, **options)
        raise Cut

    monkeypatch.setattr(rattler, "install", cut)
    with pytest.raises(Cut):
        conda.rebuild(bundle, tmp_path / "env")
    assert left(tmp_path) == ["bundle"]


def test_what_a_killed_rebuild_left_is_swept(bundle: Path, tmp_path: Path) -> None:
    dead, alive = tmp_path / ".env.4194305.x.partial", tmp_path / f".env.{os.getpid()}.x.partial"
    dead.mkdir(), alive.mkdir()
    conda.rebuild(bundle, tmp_path / "env")
    assert left(tmp_path) == sorted([alive.name, "bundle", "env"])


def test_what_pip_had_installed_comes_last(bundle: Path, tmp_path: Path) -> None:
    """And when that fails, the environment is gone again."""
    seen: list[bool] = []
    python = conda.rebuild(bundle, tmp_path / "env", finish=lambda python: seen.append(python.is_file()))
    assert seen == [True] and python.is_file()

    def fail(python: Path) -> None:
        raise EnvironmentFault("the wheel of bud is damaged")

    with pytest.raises(EnvironmentFault, match="bud"):
        conda.rebuild(bundle, tmp_path / "other", finish=fail)
    assert left(tmp_path) == ["bundle", "env"]


@pytest.mark.parametrize("taken", ["file", "full", "link"])
def test_a_place_that_is_taken_stays_as_it_is(bundle: Path, tmp_path: Path, taken: str) -> None:
    place = tmp_path / "env"
    if taken == "file":
        place.write_text("mine")
    elif taken == "full":
        (place / "mine").mkdir(parents=True)
    else:
        place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="exists already: give another folder"):
        conda.rebuild(bundle, place)
    assert left(tmp_path) == ["bundle", "env"]


def test_an_empty_folder_is_a_free_place(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    assert conda.rebuild(bundle, tmp_path / "env").is_file()


def test_without_py_rattler(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rattler", None)
    with pytest.raises(MissingToolError, match=r"pip install 'mlpack-toolkit\[conda\]'") as error:
        conda.rebuild(bundle, tmp_path / "env")
    assert error.value.exit_code == 9


def test_another_machines_lock(made: Made, tmp_path: Path) -> None:
    other = "osx-arm64" if HERE != "osx-arm64" else "linux-64"
    for path, content in conda.lock_files(made.published, [], other).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    with pytest.raises(EnvironmentFault, match=f"locked for {other}: rebuild it there, this is {HERE}"):
        conda.rebuild(tmp_path, tmp_path / "env")


def test_packages_without_a_python(made: Made, tmp_path: Path) -> None:
    libleaf = tuple(r for r in made.records if r.name == "libleaf")
    bundle = write_bundle(tmp_path / "bundle", libleaf, vendored=True)
    with pytest.raises(EnvironmentFault, match="contain no Python"):
        conda.rebuild(bundle, tmp_path / "env")
    assert left(tmp_path) == ["bundle"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "[",
        lambda text: "version: 1",
        lambda text: text.replace("noarch/leaves-", "noarch/..%2Fleaves-"),
        lambda text: text.replace("noarch/leaves", "../../leaves"),
        lambda text: re.sub("sha256: [0-9a-f]+", "sha256: no", text),
    ],
)
def test_a_lock_that_cannot_be_read(bundle: Path, tmp_path: Path, damage: Any) -> None:
    path = bundle / conda.LOCK
    path.write_text(damage(path.read_text()))
    with pytest.raises(DamagedError, match=r"conda-lock\.yml cannot be read as a lock of conda packages"):
        conda.rebuild(bundle, tmp_path / "env")


def test_an_archive_that_is_none(made: Made, tmp_path: Path) -> None:
    """The locked bytes, but never an archive: the installer's own words, and nothing stays."""
    channel = make_channel(tmp_path / "channel")
    prefix = install(channel, tmp_path / "prefix", "libleaf")
    record = conda.records(prefix)[0]
    broken = tmp_path / record.file_name
    broken.write_bytes(b"no archive")
    digest = hashlib.sha256(b"no archive").hexdigest()
    bad = replace(record, archive=broken, sha256=digest, size=len(b"no archive"))
    bundle = write_bundle(tmp_path / "bundle", (bad,), vendored=True)
    with pytest.raises(EnvironmentFault, match="the conda packages cannot be installed into"):
        conda.rebuild(bundle, tmp_path / "out" / "env")
    assert left(tmp_path / "out") == []
