"""A whole image: the same bytes twice, what is in it, and that its files are a system that serves the model."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.archives import TAR, extract_all
from mlpack_toolkit.packager.images._replay import hold
from tests.conftest import Run
from tests.packager.conftest import Made

from .conftest import Archived, archived, needs
from .test_archive import check, read

pytestmark = pytest.mark.slow
MOST = 150e6
PYTHON = "usr/lib/python3.11"


def _members(image: Archived) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    files = read(image.path)
    for layer in json.loads(files["manifest.json"])[0]["Layers"]:
        with tarfile.open(fileobj=io.BytesIO(files[layer])) as archive:
            yield from ((layer, entry, archive) for entry in archive)


def test_the_same_bundle_gives_the_same_bytes(image: Archived, crew: Made, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = archived(crew, tmp_path / "again.tar")
    finally:
        os.umask(before)
    assert again.path.read_bytes() == image.path.read_bytes()
    assert again.facts == {**image.facts, "archive": str(again.path)}


def test_and_so_it_does_with_nothing_kept(
    image: Archived, crew: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages fetched, unpacked and compiled once more."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    again = archived(crew, tmp_path / "again.tar")
    assert [e["digest"] for e in again.facts["layers"][1:]] == [e["digest"] for e in image.facts["layers"][1:]] or (
        again.facts["packages"] != image.facts["packages"]
    ), "the same packages, and another image"
    if again.facts["packages"] == image.facts["packages"]:
        assert again.facts["digest"] == image.facts["digest"]


def test_every_digest_and_how_it_runs(image: Archived, crew: Made) -> None:
    manifest, config = check(image.path, 4)
    assert manifest["config"]["digest"] == image.facts["image"]
    assert image.facts["tag"] == "crew:1.0.0" and image.facts["replayed"] is None
    runs = config["config"]
    assert runs["User"] == "65532:65532" and runs["ExposedPorts"] == {"8080/tcp": {}}
    assert "ORT_DISABLE_TELEMETRY=1" in runs["Env"] and runs["Cmd"] == ["serve"]
    assert runs["Entrypoint"][0].startswith("/usr/bin/python3") and runs["Entrypoint"][-1] == "/bundle"
    assert runs["Healthcheck"]["Test"] == ["CMD", *runs["Entrypoint"][:-1], "health"]
    labels = runs["Labels"]
    assert labels["org.opencontainers.image.title"] == "crew" and labels["org.opencontainers.image.version"] == "1.0.0"
    assert labels["mlpack.bundle.identity"] == crew.bundle.identity == manifest["annotations"]["mlpack.bundle.identity"]
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert "org.opencontainers.image.created" not in labels


def test_it_is_small(image: Archived) -> None:
    assert image.facts["unpacked"] < MOST
    assert image.facts["bytes"] == image.path.stat().st_size < MOST


def test_its_files(image: Archived, crew: Made) -> None:
    entries = [entry for _, entry, _ in _members(image)]
    names = {entry.name for entry in entries}
    assert all(not n.startswith(("/", "../")) and "/../" not in n for n in names)
    assert {(e.uid, e.gid, e.mtime) for e in entries} == {(0, 0, 0)}
    assert not [e.name for e in entries if e.mode & 0o7000 and e.name != "tmp"]
    assert not [e.name for e in entries if e.mode & 0o022 and e.name != "tmp" and not e.issym()]
    assert {e.mode for e in entries if e.name == "tmp"} == {0o1777}
    golden = {f"bundle/golden/{p.name}" for p in (crew.folder / "golden").iterdir()}
    assert golden | {"bundle/manifest.json", "bundle/model/model.onnx"} == {
        e.name for e in entries if e.name.startswith("bundle/") and e.isfile()
    }
    assert {"etc/passwd", "usr/bin/python3", "usr/lib/os-release", "var/lib/dpkg/status.d/libc6"} <= names
    assert not [n for n in names if "libonnxruntime.so" in n or "/tests/" in n or "gconv" in n or "/grpc/" in n]


def test_links_point_at_what_is_there(image: Archived) -> None:
    entries = {entry.name: entry for _, entry, _ in _members(image)}
    merged = {"lib", "lib64", "bin", "sbin"}
    for entry in entries.values():
        if entry.issym() and entry.name not in merged:
            target = os.path.normpath(os.path.join("/", os.path.dirname(entry.name), entry.linkname)).lstrip("/")
            first, _, rest = target.partition("/")
            assert (f"usr/{target}" if first in merged and rest else target) in entries, entry.name


def test_all_code_is_compiled_and_never_checked_again(image: Archived) -> None:
    names, flags, foreign = set(), set(), []
    for _, entry, archive in _members(image):
        names.add(entry.name)
        if entry.name.endswith(".pyc"):
            content = archive.extractfile(entry).read()  # type: ignore[union-attr]
            flags.add(int.from_bytes(content[4:8], "little"))
            source = entry.name.replace("__pycache__/", "").split(".cpython-")[0]
            foreign += [entry.name] if f"/{source}.py".encode() not in content and len(content) > 200 else []
    sources = {n for n in names if n.endswith(".py")}
    tag = "cpython-" + image.facts["layers"][0]["title"].split()[1].replace(".", "")
    lacking = [
        n for n in sources if f"{os.path.dirname(n)}/__pycache__/{os.path.basename(n)[:-3]}.{tag}.pyc" not in names
    ]
    assert len(sources) > 500 and not lacking
    assert flags == {1} and not foreign


def test_the_files_alone_serve_every_golden_case(image: Archived, crew: Made, tmp_path: Path) -> None:
    """No engine: the layers in a folder, which becomes the root of a process without rights."""
    if os.geteuid():
        pytest.skip("NOT TESTED: only root changes the root of a process")
    root = tmp_path / "root"
    root.mkdir()
    for layer in check(image.path, 4)[0]["layers"]:
        blob = read(image.path)["blobs/sha256/" + layer["digest"].removeprefix("sha256:")]
        with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
            extract_all(archive, root, TAR)
    answers_every_case(root, check(image.path, 4)[1]["config"], crew)


def answers_every_case(root: Path, runs: dict[str, Any], crew: Made) -> None:
    """Starts what an image runs, with its files as the root."""
    with _served(root, runs) as port:
        cases = 0
        for case in crew.bundle.golden():
            asked = (crew.folder / "golden" / f"{case.identifier}.request.json").read_bytes()
            hold(case, crew.bundle.signature, *_post(port, "/v2/models/crew/infer", asked))
            cases += 1
    assert cases > 5


@contextmanager
def _served(root: Path, runs: dict[str, Any]) -> Iterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = dict(line.split("=", 1) for line in runs["Env"])
    command = [needs("chroot"), "--userspec", runs["User"], str(root), *runs["Entrypoint"], *runs["Cmd"]]
    process = subprocess.Popen(command, env={**environment, "SAGEMAKER_BIND_TO_PORT": str(port)})
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def _post(port: int, path: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


def test_the_command_line(crew: Made, mlpack: Run, image: Archived, tmp_path: Path) -> None:
    code, facts, said = mlpack("image", crew.folder, "--tag", "team/crew:2", "--no-replay")
    assert code == 0, said
    assert facts["archive"] == "crew-2.tar" and facts["tag"] == "team/crew:2" and facts["why"] == "--no-replay"
    assert facts["image"] == image.facts["image"] and facts["layers"] == image.facts["layers"]
    assert (tmp_path / "crew-2.tar").stat().st_size == facts["bytes"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crew-2.tar"]


def test_wrong_use_is_said_before_any_work(crew: Made, copy: Path, mlpack: Run, tmp_path: Path) -> None:
    for options in (("--tag", "Crew"), ("--kind", "floppy"), ("-o", tmp_path), ("--base", "alpine"), ("-o", "/proc/x")):
        code, facts, _ = mlpack("image", crew.folder, *options)
        assert code == 2 and (facts["error"]["kind"] == "UsageError"), options
    (copy / "model" / "model.onnx").write_bytes(b"another graph")
    code, facts, _ = mlpack("image", copy, "-o", tmp_path / "x.tar")
    assert code == 8 and not (tmp_path / "x.tar").exists()
