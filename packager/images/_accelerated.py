"""The parts of an image that answers on another execution provider than the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlpack_toolkit.runtimes.server.settings import PROVIDER

from ..errors import MissingToolError, UsageError
from ..providers import load, names
from ..providers.spec import InImage, Provider
from ._layers import Source
from ._rootfs import Base
from ._site_packages import added, libraries

ONNX_RUNTIME = "onnxruntime"


@dataclass(frozen=True)
class Accelerated:
    """The packages of an image with a provider: `packages`, the server's; `libraries`, the provider's own."""

    provider: Provider
    packages: Mapping[str, str]
    libraries: Mapping[str, str]
    base: Base

    def layer(self) -> dict[str, Source]:
        """The files of the provider's libraries."""
        return added(self.libraries, self.base)

    def variables(self, layer: Mapping[str, Source]) -> dict[str, str]:
        """Where the loader finds the libraries of that layer, and what the server and the container's runtime read."""
        held = _in_image(self.provider)
        pattern = f"{self.base.place}/{held.folders}".split("/")
        found = sorted({place for path in layer if (place := _folder(path, pattern))})
        given = ",".join(f"{name}={value}" for name, value in sorted(self.provider.options.items()))
        server = f"{self.provider.title}:{given}" if given else self.provider.title
        return {**held.variables, "LD_LIBRARY_PATH": ":".join(f"/{each}" for each in found), PROVIDER: server}


def check_provider(name: str | None) -> Provider | None:
    """The provider; None for the CPU, which every image has. `UsageError` for one that no image has."""
    if name is None or name == "cpu":
        return None
    provider = load(name)
    if provider.in_image is None:
        fitting = ", ".join(each for each in names() if load(each).in_image)
        raise UsageError(f"there is no image with the provider {name}; there are: cpu, {fitting}")
    return provider


def accelerated(provider: Provider, packages: Mapping[str, str], base: Base) -> Accelerated:
    """The packages with those of the provider, in the version of ONNX Runtime that the image would have anyway."""
    held = _in_image(provider)
    version = packages.get(ONNX_RUNTIME) or packages.get(held.instead)
    if version is None:
        raise MissingToolError("ONNX Runtime is not installed with mlpack: pip install 'mlpack-toolkit[serve]'")
    others = {name: v for name, v in packages.items() if name not in (ONNX_RUNTIME, held.instead)}
    own = libraries(f"{held.instead}{held.extras}=={version}", held.libraries, base)
    return Accelerated(provider, {**others, held.instead: version}, own, base)


def _in_image(provider: Provider) -> InImage:
    assert provider.in_image is not None
    return provider.in_image


def _folder(path: str, pattern: list[str]) -> str:
    """The folder of a file where it fits the pattern; empty where it does not."""
    parts = path.split("/")[: len(pattern)]
    fits = len(path.split("/")) > len(pattern) and all(p in ("*", each) for p, each in zip(pattern, parts, strict=True))
    return "/".join(parts) if fits else ""
