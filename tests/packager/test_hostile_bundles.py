"""`reproduce`, `image`, `diff` and `inspect` of bundles that a stranger wrote, whose digests all agree.

Exit 8 with a sentence; nothing is started, and nothing is written outside of the folder that the user named.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import tomllib

from mlpack_toolkit.packager.commands.inspect import inspect
from mlpack_toolkit.packager.commands.reproduce import reproduce
from mlpack_toolkit.packager.diff import diff
from mlpack_toolkit.packager.environments.conda import env
from mlpack_toolkit.packager.environments.conda import lock as _conda_lock
from mlpack_toolkit.packager.environments.python import rebuild as _rebuild
from mlpack_toolkit.packager.environments.r import rebuild
from mlpack_toolkit.packager.errors import DamagedError
from mlpack_toolkit.packager.images import make
from tests.packager.conftest import Made
from tests.seal import rewrite, seal

PYLOCK = "environment/python/pylock.toml"
ENVIRONMENT = "environment/python/environment.json"
WHEEL = {"name": "evil-1-py3-none-any.whl", "hashes": {"sha256": "0" * 64}, "size": 1}
EVIL = {"name": "evil", "version": "1", "wheels": [{**WHEEL, "path": "wheels/evil-1-py3-none-any.whl"}]}


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would install, compile or ask an interpreter is an error of the test."""

    def started(*arguments: object, **options: object) -> None:
        raise AssertionError(f"started: {arguments}")

    monkeypatch.setattr(_rebuild, "uv", started)
    monkeypatch.setattr(_rebuild.subprocess, "run", started)


def again(bundle: Path, tmp_path: Path) -> None:
    before = {p for p in tmp_path.rglob("*") if not p.is_relative_to(bundle)}
    try:
        reproduce(bundle, tmp_path / "into", None, ())
    finally:
        assert {p for p in tmp_path.rglob("*") if not p.is_relative_to(bundle)} == before


def wheel(**facts: Any) -> list[dict[str, Any]]:
    return [{"name": "evil", "version": "1", "wheels": [{**WHEEL, **facts}]}]


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (wheel(path="../../../etc/passwd"), r"path must be a wheel in the bundle's folder"),
        (wheel(path="/etc/evil.whl"), r"path must be a wheel"),
        (wheel(path="wheels/../evil.whl"), r"path must be a wheel"),
        (wheel(url="file:///etc/passwd"), r"url must be a wheel below"),
        (wheel(url="http://evil.example/evil.whl"), r"url must be a wheel below"),
        (wheel(url="https://files.pythonhosted.org.evil.example/evil.whl"), r"url must be a wheel below"),
        (wheel(url="https://files.pythonhosted.org/evil.tar.gz"), r"url must be a wheel below"),
        (wheel(name="--index-url.whl"), r"name must be the name of a wheel"),
        (wheel(hashes={"md5": "0"}), r"hashes.sha256 is missing"),
        ([{**EVIL, "name": "evil @ file:///x"}], r"packages\[0\].name must be the name of a distribution"),
        ([{**EVIL, "version": "1\n-e git+https://evil.example"}], r"packages\[0\].version must be a version"),
        ([{**EVIL, "directory": {"path": "."}}], r"a field 'directory'"),
        ([{**EVIL, "vcs": {"type": "git", "url": "https://evil.example", "commit-id": "0"}}], r"a field 'vcs'"),
        (
            [{**EVIL, "sdist": {"name": "evil-1.tar.gz", "url": "https://evil.example", "hashes": {}}}],
            r"a field 'sdist'",
        ),
        ([{**EVIL, "archive": {"url": "https://evil.example/a.zip", "hashes": {}}}], r"a field 'archive'"),
        ([{**EVIL, "index": "https://evil.example"}], r"a field 'index'"),
        ([{**EVIL, "wheels": []}], r"wheels must be a list of 1 to 1"),
        ("evil", r"packages must be a list"),
        ([3], r"packages\[0\] must be an object"),
    ],
)
def test_a_lock_that_asks_for_something_else(packages: Any, said: str, copy: Path, tmp_path: Path) -> None:
    plain = tomllib.loads((copy / PYLOCK).read_text("utf-8"))
    (copy / PYLOCK).write_text(tomli_w.dumps(plain | {"packages": packages}))
    seal(copy)
    with pytest.raises(DamagedError, match=said):
        again(copy, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff", b"packages = ", b"packages = 1", b"a = " + b"[" * 20_000])
def test_a_lock_that_is_none(content: bytes, copy: Path, tmp_path: Path) -> None:
    (copy / PYLOCK).write_bytes(content)
    seal(copy)
    with pytest.raises(DamagedError, match=r"pylock\.toml cannot be read as a lock of wheels"):
        again(copy, tmp_path)
    (copy / PYLOCK).unlink()
    seal(copy)
    with pytest.raises(DamagedError, match=r"pylock\.toml cannot be read"):
        again(copy, tmp_path)


def put(key: str, value: Any) -> Callable[[Any], None]:
    def change(plain: Any) -> None:
        *way, last = key.split(".")
        for part in way:
            plain = plain[int(part)] if part.isdigit() else plain[part]
        plain[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        *(
            (ENVIRONMENT, key, odd)
            for key in ("interpreter", "distributions", "libc")
            for odd in (None, 3, "x", [3], {})
        ),
        *((ENVIRONMENT, f"interpreter.{key}", odd) for key in ("version", "implementation") for odd in (None, 3, [])),
        *((ENVIRONMENT, f"distributions.0.{key}", odd) for key in ("name", "version", "altered") for odd in (None, 3)),
        *(
            ("reports/verification.json", key, odd)
            for key in ("rows", "mismatches", "verdict")
            for odd in (None, "x", [])
        ),
        ("evidence/measurements/machine.json", "cpu", 3),
        ("evidence/measurements/machine.json", "cpu_flags", "x"),
    ],
)
def test_documents_of_odd_types(path: str, key: str, value: Any, copy: Path, flowers: Made, tmp_path: Path) -> None:
    rewrite(copy / path, put(key, value))
    seal(copy)
    if (key, value) == ("libc", "x"):
        return
    said = f"{path} does not fit the schema for this path: .*{key.rpartition('.')[2]}"
    users: dict[str, list[Callable[[], object]]] = {
        ENVIRONMENT: [lambda: inspect(copy), lambda: diff(copy, flowers.folder), lambda: again(copy, tmp_path)],
        "reports/verification.json": [lambda: inspect(copy)],
    }
    for command in users.get(path, [lambda: _machine(copy)]):
        with pytest.raises(DamagedError, match=said):
            command()


def _machine(bundle: Path) -> Any:
    from mlpack_toolkit.packager.bundle.reader import open_bundle

    return open_bundle(bundle).json("evidence/measurements/machine.json")


@pytest.mark.parametrize(
    ("path", "key", "value", "said"),
    [
        ("request", "id", "../../case-000", "its id is"),
        ("request", "id", 3, "request.id must be a text"),
        ("request", "inputs", {}, "request.inputs must be a list"),
        ("request", "inputs.0.name", "other", "lacks the input 'X'"),
        ("request", "inputs.0.shape", [2**52, 4], "'shape' must be"),
        ("request", "inputs.0.shape", [-1, 4], "'shape' must be"),
        ("request", "inputs.0.datatype", "FP8", "no datatype"),
        ("request", "inputs.0.datatype", "BYTES", "takes text here"),
        ("request", "inputs.0.data", "x", "'data' must be a list"),
        ("request", "inputs.0.data", [[]], "its data"),
        ("request", "parameters", 3, "request.parameters must be an object"),
        ("response", "outputs", 3, "response.outputs must be a list"),
        ("response", "outputs.0.name", "other", "lacks the output"),
        ("response", "outputs", [], "lacks the output 'label'"),
        ("response", "outputs.0.parameters", {"rtol": 0, "atol": 0}, "something other than an output of floats"),
        ("response", "outputs.1.parameters", {"rtol": -1, "atol": 0}, "rtol must be a number of at least 0"),
        ("response", "outputs.1.parameters", {"rtol": 0}, "atol is missing"),
        ("response", "outputs.1.shape", [2**53], "shape"),
        ("response", "error", 3, "response.error must be a text"),
    ],
)
def test_golden_cases_that_are_attacks(path: str, key: str, value: Any, said: str, copy: Path, flowers: Made) -> None:
    from mlpack_toolkit.packager.commands.verify import check_bundle

    rewrite(copy / "golden" / f"case-000.{path}.json", put(key, value))
    seal(copy)
    for command in (lambda: check_bundle(copy, (), "cpu", lambda step: None), lambda: diff(flowers.folder, copy)):
        with pytest.raises(DamagedError, match=f"the golden case case-000.* cannot be read: .*{said}"):
            command()


def test_no_golden_case_at_all(copy: Path, flowers: Made) -> None:
    from mlpack_toolkit.packager.commands.bench import bench_bundle
    from mlpack_toolkit.packager.commands.verify import check_bundle

    for path in (copy / "golden").iterdir():
        path.unlink()
    (copy / "golden").rmdir()
    seal(copy)
    with pytest.raises(DamagedError, match="holds no golden case"):
        check_bundle(copy, (), "cpu", lambda step: None)
    with pytest.raises(DamagedError, match="holds no golden case of the example"):
        bench_bundle(copy, None, "", 0.01)


def test_a_request_without_its_response(copy: Path) -> None:
    from mlpack_toolkit.packager.commands.verify import check_bundle

    (copy / "golden" / "case-000.response.json").unlink()
    seal(copy)
    with pytest.raises(DamagedError, match=r"has no golden/case-000\.response\.json"):
        check_bundle(copy, (), "cpu", lambda step: None)


def _renv(copy: Path, **record: Any) -> None:
    packages = {"evil": {"Version": "1", "Sha256": "0" * 64, **record}}
    lock = {"R": {"Version": "4.5.0"}, "Packages": packages}
    (copy / "environment/python" / "renv.lock").write_text(json.dumps(lock))
    seal(copy)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"Archive": "../../../etc/passwd"}, "names an archive outside of the bundle"),
        ({"Archive": "/r-packages/x"}, "names an archive outside of the bundle"),
        ({"Archive": "r-packages/.."}, "the bundle lacks"),
        ({"Archive": "r-packages/none.tar"}, r"the bundle lacks none\.tar"),
        ({"Archive": 3}, r"Archive must be a text"),
        ({"Requirements": "x"}, r"Requirements must be a list"),
        ({"Sha256": 3}, "Sha256 must be a text"),
        ({"Version": None}, "Version must be a text"),
        ({"Debian": {"package": 3, "version": "1"}}, "Debian.package must be a text"),
        ({"Requirements": ["evil"]}, "need each other"),
    ],
)
def test_a_lock_of_r_that_is_an_attack(
    record: dict[str, Any], said: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_find", lambda wanted, given: None)
    _renv(copy, **record)
    with pytest.raises(DamagedError, match=said):
        again(copy, tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"Packages": []}', b'{"Packages": {"../x": {"Version": "1"}}}'])
def test_a_lock_of_r_that_is_none(content: bytes, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "_find", lambda wanted, given: None)
    (copy / "environment/python" / "renv.lock").write_bytes(content)
    seal(copy)
    with pytest.raises(DamagedError, match=r"renv\.lock"):
        again(copy, tmp_path)


def _tar(place: Path, name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: str = "w") -> str:
    import hashlib

    place.parent.mkdir(exist_ok=True)
    with tarfile.open(place, mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member, io.BytesIO())
    return hashlib.sha256(place.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../evil", tarfile.REGTYPE, ""),
        ("/evil", tarfile.REGTYPE, ""),
        ("evil/../../x", tarfile.REGTYPE, ""),
        ("evil/x", tarfile.SYMTYPE, "../../../etc/passwd"),
        ("evil/x", tarfile.LNKTYPE, "../../etc/passwd"),
        ("evil/x", tarfile.CHRTYPE, ""),
        ("other/x", tarfile.REGTYPE, ""),
    ],
)
def test_an_archive_of_r_that_leads_elsewhere(
    name: str, kind: bytes, link: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_find", lambda wanted, given: None)
    digest = _tar(copy / "environment/python" / "r-packages" / "evil.tar", name, kind, link)
    _renv(copy, Archive="r-packages/evil.tar", Sha256=digest)
    with pytest.raises(DamagedError, match=r"evil\.tar contains"):
        again(copy, tmp_path)


def test_an_archive_of_r_that_is_compressed(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.tar` is what mlpack writes: what is compressed could hold anything."""
    monkeypatch.setattr(rebuild, "_find", lambda wanted, given: None)
    digest = _tar(copy / "environment/python" / "r-packages" / "evil.tar", "evil/x", mode="w:gz")
    _renv(copy, Archive="r-packages/evil.tar", Sha256=digest)
    with pytest.raises(DamagedError, match=r"evil\.tar"):
        again(copy, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"package: 3",
        b"metadata: {}\npackage: [{manager: conda}]",
        b"a: &a [x, x]\nb: &b [*a, *a]\nmetadata: *b\npackage: *b",
        b"!!python/object/apply:os.system ['x']",
        b"metadata: {}\npackage: [{manager: conda, name: x, platform: linux-64, "
        b"url: 'https://evil.example/../../x.conda', hash: {sha256: '0'}}]",
    ],
)
def test_a_lock_of_conda_that_is_an_attack(
    content: bytes, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env, "_rattler", lambda: None)
    (copy / "environment/python" / _conda_lock.LOCK).write_bytes(content)
    seal(copy)
    with pytest.raises(DamagedError, match=r"conda-lock\.yml cannot be read"):
        again(copy, tmp_path)


@pytest.mark.parametrize("name", ["requirements.txt", "Dockerfile"])
def test_a_container_project_that_lacks_a_file(
    name: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlpack_toolkit.packager.images import docker

    place = copy / "deploy" / "docker"
    place.mkdir(parents=True)
    for each in {"requirements.txt", "Dockerfile"} - {name}:
        (place / each).write_text("FROM scratch\n")
    if name == "requirements.txt":
        (place / name).write_bytes(b"\xff\xfe")
    seal(copy)
    monkeypatch.setattr(docker, "find", lambda: object())
    monkeypatch.setattr(docker, "_base", lambda engine, request: pytest.fail("asked the engine"))
    with pytest.raises(DamagedError, match=f"container project has no readable {name}"):
        make(copy, None, "docker", None, "debian", False, lambda step: None)
