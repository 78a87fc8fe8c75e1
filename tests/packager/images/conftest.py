"""Images that several tests look at: built once, never changed; and a container engine of the tests' own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.packager.images import make
from mlpack_toolkit.packager.images._archive import Configuration, write_archive
from mlpack_toolkit.packager.images._layers import Layer, Tree, write_layer
from mlpack_toolkit.packager.images._local_base import pip
from mlpack_toolkit.packager.images._rootfs import architecture, debian, suite_here
from mlpack_toolkit.packager.paths import kept
from tests.packager.conftest import Made

INSTALL = "apt-get install -y --no-install-recommends docker.io docker-registry skopeo podman"


@dataclass(frozen=True)
class Archived:
    """An image on disk with what was said of it."""

    made: Made
    path: Path
    facts: dict[str, Any]


def needs(tool: str) -> str:
    """The path of a program; the test is skipped where it is not installed."""
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"NOT TESTED: {tool} is not installed: {INSTALL}")
    return found


def archived(made: Made, path: Path) -> Archived:
    """The image of a bundle, not started."""
    for tool in ("apt-get", "dpkg"):
        needs(tool)
    return Archived(made, path, make(made.folder, None, None, path, "debian", False, lambda step: None))


@pytest.fixture(scope="session")
def image(crew: Made, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """The image of a bundle with text, numbers and refusals."""
    return archived(crew, tmp_path_factory.mktemp("image") / "crew.tar")


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Layer, ...]:
    """Two layers of a few bytes."""
    trees: tuple[Tree, ...] = ({"etc/passwd": b"root:x:0:0::/:\n"}, {"bundle/model.onnx": b"a graph"})
    return tuple(write_layer(f"number {i}", tree, tmp_path / f"layer-{i}") for i, tree in enumerate(trees))


@pytest.fixture
def client(engine: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine's client, and the engine is what mlpack finds."""
    docker = pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", engine)
    return docker.from_env()


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """`DOCKER_HOST` of an engine with a socket and a folder of its own; it ends with the tests."""
    dockerd = needs("dockerd")
    if os.geteuid():
        pytest.skip("NOT TESTED: only root starts a container engine")
    folder = Path(tempfile.mkdtemp(prefix="mlpack-dockerd-"))
    host = f"unix://{folder}/socket"
    places = ("--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid", "-H", host)
    apart = ("--bridge", "none", "--iptables=false", "--ip6tables=false")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([dockerd, *map(str, places), *apart], stdout=log, stderr=log)
    try:
        _wait(process, folder)
        yield host
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    docker = pytest.importorskip("docker")
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            docker.DockerClient(f"unix://{folder}/socket").ping()
            return
        except docker.errors.DockerException:
            time.sleep(0.2)
    last = "\n".join((folder / "log").read_text(errors="replace").splitlines()[-5:])
    pytest.skip(f"NOT TESTED: no container engine runs on this machine:\n{last}")


@contextmanager
def answering(client: Any, image: Archived, **options: Any) -> Iterator[Any]:
    """The container of an image once its server says that it answers; told to end, it must end with 0."""
    with image.path.open("rb") as file:
        own = client.images.load(file)[0]
    container = client.containers.create(own.id, "serve", network_mode="none", cap_drop=["ALL"], **options)
    try:
        container.start()
        until = time.monotonic() + 20
        while time.monotonic() < until and b"answers at" not in container.logs():
            time.sleep(0.05)
        assert b"crew 1.0.0 answers at" in container.logs(), container.logs()
        yield container
        container.stop(timeout=20)
        assert container.wait()["StatusCode"] == 0
    finally:
        container.remove(force=True)
        client.images.remove(own.id, force=True)


def push(registry: str, name: str, layers: Sequence[Layer], environment: Sequence[str], folder: Path) -> str:
    """The reference, with its digest, of an image of these layers that the registry then has."""
    archive = folder / "image.tar"
    write_archive(archive, Configuration(architecture(), {"Env": list(environment)}, {}), layers, f"{name}:1")
    place = f"docker://{registry}/{name}:1"
    subprocess.run(
        [needs("skopeo"), "copy", "--quiet", "--dest-tls-verify=false", f"oci-archive:{archive}", place], check=True
    )
    looked = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", place]
    digest = subprocess.run(looked, check=True, capture_output=True, text=True).stdout.strip()
    return f"{registry}/{name}@{digest}"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a registry of the tests' own."""
    program, folder = needs("docker-registry"), tmp_path_factory.mktemp("registry")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{found.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": place},
    }
    (folder / "settings.yml").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "settings.yml")], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(place.split(":")[1])), 1):
                break
        yield place
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def trusted(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry, which skopeo then asks without TLS; what mlpack keeps stays where it is."""
    settings = tmp_path / "home/.config/containers"
    settings.mkdir(parents=True)
    (settings / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept().parent))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return registry


@pytest.fixture(scope="module")
def python_base(registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reference of an image in the registry: Debian's Python with pip."""
    folder, suite = tmp_path_factory.mktemp("base"), suite_here()
    base = debian(suite)
    trees = {"python": base.source(), "pip": pip(suite)}
    layers = [write_layer(title, tree, folder / title) for title, tree in trees.items()]
    return push(registry, "team/python", layers, ["PATH=/usr/local/bin:/usr/bin", "TEAM=us"], folder)
