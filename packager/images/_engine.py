"""Loads and runs images in a container engine through the Docker SDK, within limits, and removes them by id."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import MissingToolError

SECONDS = 120
PIDS = 256
HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Engine:
    """A reachable engine. `client`: the SDK's."""

    client: Any
    version: str

    @property
    def has_gpus(self) -> bool:
        """Whether it can give a container GPUs: NVIDIA's toolkit is set up for it."""
        facts = self.client.info()
        return "nvidia" in (facts.get("Runtimes") or {}) or bool(facts.get("DiscoveredDevices"))


@dataclass(frozen=True)
class Running:
    """A started container with `port` open on 127.0.0.1. `began`: `perf_counter` at its start."""

    port: int
    began: float
    alive: Callable[[], bool]
    said: Callable[[], str]


def find(seconds: int = SECONDS) -> Engine | str:
    """The engine at `DOCKER_HOST`, else at the default socket; the reason as text where none answers."""
    try:
        import docker
    except ImportError:
        return "the package docker is not installed: pip install 'mlpack-toolkit[image]'"
    place = urlsplit(os.environ.get("DOCKER_HOST", ""))
    if place.hostname and place.scheme in ("tcp", "http", "https", "ssh") and place.hostname not in HERE:
        return f"the container engine runs on {place.hostname}, so its ports cannot be reached on this machine"
    try:
        client = docker.from_env(timeout=seconds)
        return Engine(client, str(client.version()["Version"]))
    except Exception as error:  # the SDK passes on the exceptions of its libraries
        return f"no container engine answers: {first_line(error)}"


@contextmanager
def running(
    engine: Engine, loaded: AbstractContextManager[str], port: int, memory: int, on_gpu: bool = False
) -> Iterator[Running]:
    """Runs the loaded image in a container: read-only, no privileges, no outbound network, one port; then removes it.

    `memory`: its limit in bytes. `on_gpu`: it gets all GPUs. Raises `MissingToolError` where the engine cannot run it.
    """
    import docker
    from requests import RequestException

    try:
        with (
            loaded as image,
            _network(engine.client) as network,
            _started(engine.client, image, network, port, memory, on_gpu) as found,
        ):
            yield found
    except (docker.errors.DockerException, RequestException) as error:
        said = (
            f"the container engine cannot run the image ({first_line(error)}); --no-replay makes it without this test"
        )
        raise MissingToolError(said) from error


@contextmanager
def archived(engine: Engine, archive: Path) -> Iterator[str]:
    """The id of an archive's image; removed at the end unless the engine had it before."""
    client = engine.client
    before = {image.id for image in client.images.list(all=True)}
    with archive.open("rb") as file:
        image = client.images.load(file)[0]
    try:
        yield str(image.id)
    finally:
        if image.id not in before:
            client.images.remove(image.id, force=True)


@contextmanager
def _network(client: Any) -> Iterator[str]:
    """The id of a network without a route out, so that the open port is the only way in."""
    options = {
        "com.docker.network.bridge.enable_ip_masquerade": "false",
        "com.docker.network.bridge.enable_icc": "false",
    }
    network = client.networks.create(f"mlpack-{secrets.token_hex(6)}", driver="bridge", options=options)
    try:
        yield str(network.id)
    finally:
        network.remove()


@contextmanager
def _started(client: Any, image: str, network: str, port: int, memory: int, on_gpu: bool) -> Iterator[Running]:
    gpus = {"device_requests": [_all_gpus()]} if on_gpu else {}
    container = client.containers.create(
        image,
        network=network,
        ports={f"{port}/tcp": ("127.0.0.1", None)},
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=memory,
        pids_limit=PIDS,
        **gpus,
    )
    try:
        began = time.perf_counter()
        container.start()
        yield Running(_open_port(container, port), began, lambda: _is_alive(container), lambda: _said(container))
    finally:
        with contextlib.suppress(OSError):
            container.remove(force=True, v=True)


def _all_gpus() -> Any:
    from docker.types import DeviceRequest

    return DeviceRequest(count=-1, capabilities=[["gpu"]])


def _open_port(container: Any, port: int) -> int:
    container.reload()
    bound = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
    return int(bound[0]["HostPort"]) if bound else 0


def _is_alive(container: Any) -> bool:
    container.reload()
    return bool(container.status == "running")


def _said(container: Any) -> str:
    return str(container.logs(tail=20).decode("utf-8", "replace"))


def first_line(error: Exception) -> str:
    """The first line of the engine's error."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
