"""Kind `oci`: mlpack writes the image itself, deterministically, without an engine or a registry."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlpack_toolkit.converters.image import images_of
from mlpack_toolkit.converters.needs import Tool

from ..travel import lay_out
from ._accelerated import accelerated
from ._archive import Configuration
from ._image_config import labels_of, model, operators, runs
from ._import_closure import SERVER, Needs, needs
from ._layers import Layer, Source, Tree, below, write_layer
from ._oci_archive import written
from ._registry_base import pulled
from ._rootfs import Base, architecture, debian, suite_here
from ._site_packages import added
from .spec import DEBIAN, Built, Image, Request

THREADS = {"OPENBLAS_NUM_THREADS": "1"}


def build(request: Request) -> Built:
    """Builds four layers, the least changing lowest: Debian and Python, packages, the server, the model."""
    machine = architecture()
    request.progress("finding the server's modules")
    found = needs(bool(images_of(request.bundle.signature)))
    base = _base(request)
    request.progress("collecting the server's packages")
    faster, variables = ({}, {}) if request.provider else operators(request.bundle)  # those are for the CPU
    on = accelerated(request.provider, found.packages, base) if request.provider else None
    libraries = on.layer() if on else {}
    variables |= on.variables(libraries) if on else {}
    packages, server = on.packages if on else found.packages, _server(found, base, request.scratch)
    layers = tuple(_layers(request, base, packages, libraries, server, faster))
    request.progress("writing the image")
    labels = labels_of(request.bundle, "" if request.base == DEBIAN else request.base, request.provider)
    entry = [base.program, "-I", "-m", SERVER]
    environment = {**dict(line.split("=", 1) for line in base.environment), **THREADS, **variables}
    configuration = Configuration(machine, runs(request.bundle, entry, environment, labels), labels)
    wheels = {**packages, **(on.libraries if on else {})}
    listed = {
        "debian": tuple(f"{name} {version}" for name, version in sorted(base.packages.items())),
        "python": tuple(f"{name} {version}" for name, version in sorted(wheels.items())),
    }
    return written(request, configuration, layers, listed)


def _base(request: Request) -> Base:
    if request.base == DEBIAN:
        request.progress("unpacking Python from Debian's packages")
        return debian(suite_here())
    request.progress("fetching the base")
    return pulled(request.base, request.scratch)


def _layers(
    request: Request, base: Base, packages: Mapping[str, str], libraries: Tree, server: Tree, faster: Tree
) -> list[Layer]:
    trees: dict[str, Tree] = {
        **({} if base.layers else {base.title: base.source()}),
        **({request.provider.title: libraries} if request.provider else {}),
        "packages": added(packages, base),
        "server": server,
        "model": {**model(request.bundle), **faster},
    }
    own = [write_layer(title, tree, request.scratch / f"layer-{i}") for i, (title, tree) in enumerate(trees.items())]
    return [*base.layers, *own]


def _server(found: Needs, base: Base, scratch: Path) -> dict[str, Source]:
    """The server's modules beside the packages, compiled like them."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    lay_out(found.modules, folder)
    base.compile(folder, f"/{base.place}")
    return below(folder, base.place)


IMAGE = Image(
    "oci",
    build,
    takes_provider=True,
    needs=(Tool("skopeo", "images on a base of a registry", "apt-get install skopeo"),),
)
