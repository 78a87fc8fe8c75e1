"""Images that several tests look at: built once, never changed; and a container engine of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from packager.images import make
from packager.images._layers import Layer, Tree, write_layer
from tests.packager.conftest import Made

INSTALL = "apt-get install -y --no-install-recommends docker.io skopeo podman"


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
