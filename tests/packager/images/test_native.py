"""The image without Python: what is in it, the same bytes twice, and that it answers as the original does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlpack_toolkit.converters.spec import TensorSpec
from mlpack_toolkit.packager.archives import TAR, extract
from mlpack_toolkit.packager.cache import SEAL
from mlpack_toolkit.packager.errors import ConversionError, MismatchError, MissingToolError, UsageError
from mlpack_toolkit.packager.images import _compiled, _rootfs, make, native
from mlpack_toolkit.packager.images._layers import Folder
from mlpack_toolkit.packager.setup_headers import cache_folder, fetch_headers
from tests.packager.conftest import Made
from tests.seal import seal

from .conftest import Archived, answering, needs
from .test_archive import check
from .test_engine import _left, _with_wrong_answers
from .test_image import _members, answers_every_case

MOST = 45e6


def _made(made: Made, path: Path, replays: bool = False) -> Archived:
    for tool in ("apt-get", "dpkg", "cmake", "g++"):
        needs(tool)
    try:
        fetch_headers(cache_folder())
    except MissingToolError as error:
        pytest.skip(f"NOT TESTED: {error}")
    return Archived(made, path, make(made.folder, None, "native", path, "debian", replays, lambda step: None))


@pytest.fixture(scope="session")
def small(crew: Made, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """The image of a bundle with text, numbers and refusals."""
    return _made(crew, tmp_path_factory.mktemp("native") / "crew.tar")


@pytest.mark.slow
def test_it_is_small_and_says_what_it_is(small: Archived, crew: Made) -> None:
    assert small.facts["unpacked"] < MOST and small.facts["bytes"] < MOST and small.facts["kind"] == "native"
    manifest, config = check(small.path, 4)
    runs = config["config"]
    assert runs["User"] == "65532:65532" and runs["ExposedPorts"] == {"8080/tcp": {}} and runs["Cmd"] == ["serve"]
    assert runs["Entrypoint"] == ["/usr/bin/mlpack-server", "/bundle"] and "ORT_DISABLE_TELEMETRY=1" in runs["Env"]
    assert runs["Healthcheck"]["Test"] == ["CMD", "/usr/bin/mlpack-server", "health"]
    labels = runs["Labels"]
    assert labels["org.opencontainers.image.title"] == "crew" and labels["org.opencontainers.image.version"] == "1.0.0"
    assert labels["mlpack.bundle.identity"] == crew.bundle.identity == manifest["annotations"]["mlpack.bundle.identity"]
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"


@pytest.mark.slow
def test_its_files(small: Archived, crew: Made) -> None:
    entries = [entry for _, entry, _ in _members(small)]
    names = {entry.name for entry in entries}
    assert {(e.uid, e.gid, e.mtime) for e in entries} == {(0, 0, 0)}
    assert not [e.name for e in entries if e.mode & 0o022 and e.name != "tmp" and not e.issym()]
    assert {e.name for e in entries if e.mode & 0o111 and e.isfile() and "/lib/" not in e.name} == {native.PROGRAM}
    assert {"tmp", "proc", "dev", "etc/passwd", "usr/lib/os-release", "var/lib/dpkg/status.d/libc6"} <= names
    documents = {"libc6", "base-files", "gcc-12-base", "onnxruntime", "mlpack-server", "libstdc++6", "libgcc-s1"}
    assert documents <= {n.split("/")[3] for n in names if n.startswith("usr/share/doc/") and n.count("/") > 2}
    golden = {f"bundle/golden/{p.name}" for p in (crew.folder / "golden").iterdir()}
    assert golden | {"bundle/manifest.json", "bundle/model/model.onnx"} == {
        e.name for e in entries if e.name.startswith("bundle/") and e.isfile()
    }


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.usefixtures("real_compiler")
def test_the_same_bytes_when_compiled_again(
    small: Archived, crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder, and with nothing kept but what was fetched; no path of this machine is in the program."""
    kept = tmp_path / "kept"
    (kept / "images").mkdir(parents=True)
    monkeypatch.setattr(_compiled, "kept", lambda: kept)
    again = _made(crew, tmp_path / "again.tar")
    assert again.path.read_bytes() == small.path.read_bytes()
    (program,) = (path for path in (kept / "images").iterdir() if not path.name.endswith(SEAL))
    content = program.read_bytes()
    assert str(tmp_path).encode() not in content and b"project/server" not in content and b"/.cache" not in content


@pytest.mark.slow
def test_the_files_alone_serve_every_golden_case(small: Archived, crew: Made, tmp_path: Path) -> None:
    """No engine: the layers in a folder, which becomes the root of a process without rights."""
    if os.geteuid():
        pytest.skip("NOT TESTED: only root changes the root of a process")
    root = tmp_path / "root"
    root.mkdir()
    for _, entry, archive in _members(small):
        extract(archive, entry, root, TAR)
    answers_every_case(root, check(small.path, 4)[1]["config"], crew)


@pytest.mark.slow
def test_an_engine_replays_every_case_and_nothing_is_left(
    client: Any,
    crew: Made,
    small: Archived,
    tmp_path: Path,
) -> None:
    again = _made(crew, tmp_path / "crew.tar", replays=True)
    assert again.facts["replayed"]["cases"] == sum(1 for _ in crew.bundle.golden())
    assert again.facts["replayed"]["first_answer_s"] < 2
    assert again.path.read_bytes() == small.path.read_bytes() and _left(client) == ([], [], [])


@pytest.mark.slow
def test_a_difference_is_exit_5_and_no_archive(
    client: Any,
    crew: Made,
    small: Archived,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = _with_wrong_answers(crew, tmp_path / "wrong")
    seal(folder)
    place = tmp_path / "out" / "crew.tar"
    with pytest.raises(MismatchError, match="does not answer like the original") as caught:
        make(folder, None, "native", place, "debian", True, lambda step: None)
    assert caught.value.exit_code == 5 and list(place.parent.iterdir()) == [] and _left(client) == ([], [], [])


@pytest.mark.slow
@pytest.mark.parametrize("user", ["65532", "12345:0", "0"])
def test_it_runs_for_any_user_without_writing(user: str, client: Any, small: Archived) -> None:
    with answering(client, small, user=user) as container:
        assert container.exec_run(["/usr/bin/mlpack-server", "health"]).exit_code == 0
        assert container.diff() in (None, [])


@pytest.mark.slow
def test_what_skopeo_reads(small: Archived) -> None:
    done = subprocess.run([needs("skopeo"), "inspect", f"oci-archive:{small.path}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Digest"] == small.facts["digest"]


def test_another_base_is_refused(crew: Made, tmp_path: Path) -> None:
    base = "registry.example/debian@sha256:" + "0" * 64
    with pytest.raises(UsageError, match="leave out --base"):
        make(crew.folder, None, "native", tmp_path / "x.tar", base, False, lambda step: None)


def _base(tmp_path: Path) -> _rootfs.Base:
    return _rootfs.Base(tmp_path, "C++ libraries from Debian bookworm", "3.11", "2_36", {}, libraries=("usr/lib",))


def test_what_no_c_code_can_hold_is_said(crew: Made, tmp_path: Path) -> None:
    found = crew.bundle
    signature = replace(found.signature, inputs=(TensorSpec("x", "complex64", ("N", 1)),))
    bundle: Any = SimpleNamespace(name="crew", version="1", signature=signature, graph=found.graph)
    with pytest.raises(
        ConversionError, match="kind native does not support this model: 'x' has element type complex64"
    ):
        _compiled.compiled(bundle, "native", _base(tmp_path), tmp_path)


def test_a_tool_that_is_missing_is_named(crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    monkeypatch.setattr(_compiled, "kept", lambda: tmp_path / "kept")
    with pytest.raises(MissingToolError, match=r"needs cmake.*apt-get install cmake g\+\+ libboost-dev"):
        _compiled.compiled(crew.bundle, "native", _base(tmp_path), tmp_path)


def test_what_the_tools_said_is_quoted(crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("cmake")
    monkeypatch.setattr(_compiled, "kept", lambda: tmp_path / "kept")
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(MissingToolError, match=r"(?s)it needs apt-get install .* libboost-dev.*/no/such/compiler"):
        _compiled.compiled(crew.bundle, "native", _base(tmp_path), tmp_path)
    assert not (tmp_path / "kept").exists()


def test_a_program_that_the_base_cannot_start_is_refused(tmp_path: Path) -> None:
    for name in ("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"):
        place = tmp_path / "usr" / "lib" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text('#!/bin/sh\necho "version \\`GLIBC_2.38\' not found" >&2\nexit 1\n')
        place.chmod(0o755)
    with pytest.raises(MissingToolError, match=r"does not start on C\+\+ libraries.*GLIBC_2.38.*--kind oci"):
        _compiled._check(tmp_path / "server", _base(tmp_path))


def test_of_debian_only_what_is_loaded(tmp_path: Path) -> None:
    libraries = f"usr/lib/{_rootfs.triplet()}"
    kept = (
        f"{libraries}/libc.so.6",
        "usr/lib/os-release",
        "usr/share/doc/libc6/copyright",
        "var/lib/dpkg/status.d/libc6",
    )
    for name in (*kept, f"{libraries}/libnss_files.so.2", f"{libraries}/libmvec.so.1", "usr/bin/tool", _rootfs.ABOUT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = native._libraries(_base(tmp_path))
    assert {n for n, source in found.items() if isinstance(source, Path)} == set(kept)
    assert found["tmp"] == Folder(0o1777) and "etc/passwd" in found
