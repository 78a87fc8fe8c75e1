"""The runtime configuration and labels of the images that mlpack writes itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.runtimes.server.settings import LIBRARY

from ..bundle.reader import Bundle
from ..kernels import preferred
from ..providers.spec import Provider
from ._layers import Source
from ._project import shipped

PORT = 8080
BUNDLE = "bundle"
OPERATORS = "usr/local/lib/libmlpack_trees.so"
"""The place of mlpack's own operators in an image."""
USER = "65532:65532"
ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8", "ORT_DISABLE_TELEMETRY": "1", "PATH": "/usr/bin"}

SECOND = 10**9
HEALTH = {"Interval": 10 * SECOND, "Timeout": 5 * SECOND, "StartPeriod": 60 * SECOND, "Retries": 3}
"""Interval of the health check in nanoseconds."""


def model(bundle: Bundle) -> dict[str, Source]:
    """The model layer's files, with the paths that they have in the bundle."""
    return {f"{BUNDLE}/{path}": source for path, source in shipped(bundle).items()}


def operators(bundle: Bundle) -> tuple[dict[str, Source], dict[str, str]]:
    """The files of the variant that mlpack's own operators make faster, with their library, and the variable that names
    it to the server; nothing where the bundle has none that can run on this machine."""
    name, library = preferred(bundle)
    if library is None:
        return {}, {}
    files: dict[str, Source] = {f"{BUNDLE}/{path}": bundle.file(path) for path in bundle.paths_of(name)}
    return {**files, OPERATORS: library}, {LIBRARY: f"/{OPERATORS}"}


def runs(bundle: Bundle, entry: Sequence[str], environment: Mapping[str, str], labels: Mapping[str, str]) -> Any:
    """The runtime configuration; it accepts SageMaker's argument `serve`, which changes nothing."""
    return {
        "User": USER,
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Env": [f"{name}={value}" for name, value in sorted({**ENVIRONMENT, **environment}.items())],
        "Entrypoint": [*entry, f"/{BUNDLE}"],
        "Healthcheck": {"Test": ["CMD", *entry, "health"], **HEALTH},
        "Cmd": ["serve"],
        "WorkingDir": "/",
        "Labels": {**labels, "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true"},
        "StopSignal": "SIGTERM",
    }


def labels_of(bundle: Bundle, base: str = "", provider: Provider | None = None) -> dict[str, str]:
    """The image's OCI labels. `base`: the reference of the base image, with its digest. `provider`: the one that
    answers; None: the CPU's."""
    described = f"{bundle.name} {bundle.version}, served over the Open Inference Protocol on port {PORT}"
    name, _, digest = base.rpartition("@")
    lower = {"org.opencontainers.image.base.name": name, "org.opencontainers.image.base.digest": digest}
    return {
        "org.opencontainers.image.title": bundle.name,
        "org.opencontainers.image.version": bundle.version,
        "org.opencontainers.image.description": described,
        "mlpack.bundle.identity": bundle.identity,
        **({key: value for key, value in lower.items() if value} if digest else {}),
        **({"mlpack.provider": provider.title} if provider else {}),
    }
