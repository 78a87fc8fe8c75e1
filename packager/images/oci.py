"""An image written by mlpack itself, without an engine and without a registry: the same bytes for the same bundle."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ..bundle.manifest import NAME
from ..bundle.reader import Bundle
from ._archive import Configuration, write_archive
from ._layers import Layer, Source, Tree, below, write_layer
from ._rootfs import Base, architecture, debian, suite_here
from ._server import SERVER, Needs, needs
from ._site import place_of, site
from .spec import Built, Image, Request

PORT = 8080
BUNDLE = "bundle"
USER = "65532:65532"
SHIPPED = ("golden/", "model/model.onnx")
"""Of a bundle's files: the graph, with what it keeps beside itself, and the recorded cases."""


def build(request: Request) -> Built:
    """Four layers, those that change least below: Debian and Python, packages, the server, the model."""
    machine = architecture()
    request.progress("looking at what the server needs")
    found = needs()
    request.progress("taking Python from Debian's packages")
    base = debian(suite_here())
    request.progress("taking the server's packages")
    layers = tuple(_layers(request, base, found))
    request.progress("writing the image")
    configuration = Configuration(machine, _runs(request.bundle, base), _annotations(request.bundle))
    archive = request.scratch / "image.tar"
    digests = write_archive(archive, configuration, layers, str(request.tag))
    packages = {
        "debian": tuple(f"{name} {version}" for name, version in sorted(base.packages.items())),
        "python": tuple(f"{name} {version}" for name, version in sorted(found.packages.items())),
    }
    nameless = lambda path: write_archive(path, configuration, layers, None)  # noqa: E731
    return Built(archive, digests.image, digests.manifest, layers, packages, nameless)


def _layers(request: Request, base: Base, found: Needs) -> list[Layer]:
    trees: dict[str, Tree] = {
        f"Python {base.python} from Debian {base.suite}": base.source(),
        "packages": below(site(found.packages, base), place_of(base)),
        "server": _server(found, base, request.scratch),
        "model": _model(request.bundle),
    }
    return [write_layer(title, tree, request.scratch / f"layer-{i}") for i, (title, tree) in enumerate(trees.items())]


def _server(found: Needs, base: Base, scratch: Path) -> dict[str, Source]:
    """The server's modules beside the packages, compiled like them."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    for path, source in found.modules.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes() if isinstance(source, Path) else b"")
    base.compile(folder, f"/{place_of(base)}")
    return below(folder, place_of(base))


def _model(bundle: Bundle) -> dict[str, Source]:
    """What of the bundle the image holds, as it lies in the bundle."""
    paths = [NAME, *(entry.path for entry in bundle.manifest.files if entry.path.startswith(SHIPPED))]
    return {f"{BUNDLE}/{path}": bundle.folder / path for path in paths}


def _runs(bundle: Bundle, base: Base) -> dict[str, Any]:
    """How its container runs: `serve`, as SageMaker calls it, is what it does anyhow."""
    environment = {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "PATH": "/usr/bin",
    }
    return {
        "User": USER,
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Entrypoint": [base.program, "-I", "-m", SERVER, f"/{BUNDLE}"],
        "Cmd": ["serve"],
        "WorkingDir": "/",
        "Labels": {**_annotations(bundle), "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true"},
        "StopSignal": "SIGTERM",
    }


def _annotations(bundle: Bundle) -> dict[str, str]:
    described = f"{bundle.name} {bundle.version}, which answers the Open Inference Protocol on port {PORT}"
    return {
        "org.opencontainers.image.title": bundle.name,
        "org.opencontainers.image.version": bundle.version,
        "org.opencontainers.image.description": described,
        "mlpack.bundle.identity": bundle.identity,
    }


IMAGE = Image("oci", build)
