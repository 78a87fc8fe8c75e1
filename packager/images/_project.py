"""The project that an image is built from: the bundle's own, else rendered from the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlpack_toolkit import runtimes
from mlpack_toolkit.converters.spec import Unsupported
from mlpack_toolkit.runtimes.spec import Package, Runtime

from ..bundle.manifest import NAME
from ..bundle.reader import Bundle
from ..errors import ConversionError

SHIPPED = ("golden/",)


def project(bundle: Bundle, kind: str) -> Mapping[str, bytes | Path]:
    """The files by path in the project; raises `ConversionError` for a model that the project does not support."""
    runtime = runtimes.of_image(kind)
    place = f"deploy/{runtime.name}/"
    own = bundle.listed(place)
    if own:
        return {path.removeprefix(place): bundle.file(path) for path in own}
    return rendered(bundle, runtime, {p.removeprefix("golden/"): bundle.read(p) for p in bundle.listed("golden/")})


def rendered(bundle: Bundle, runtime: Runtime, golden: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files as this mlpack renders them; raises `ConversionError`. `golden`: the cases that the project replays."""
    package = Package(bundle.name, bundle.version, bundle.signature, bundle.graph, golden)
    try:
        return runtime.render(package)
    except Unsupported as error:
        raise ConversionError(f"an image of kind {runtime.image} does not support this model: {error}") from error


def shipped(bundle: Bundle) -> dict[str, Path]:
    """The bundle's files in every image, by path: the manifest, the graph with its external data, the golden cases."""
    wanted = [*bundle.graph_files, *(path for path in bundle.listed() if path.startswith(SHIPPED))]
    found = {path: bundle.file(path) for path in wanted}
    return {NAME: bundle.place / NAME, **found}
