"""The requirements of mlpack's features, from every converter, runtime, kind of image and environment."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack_toolkit.converters.needs import Need, Requirement

RUNNING = Requirement("onnxruntime", purpose="running graphs")


def needs() -> Iterator[Need]:
    """All requirements, in the order of `mlpack doctor`."""
    from mlpack_toolkit import converters, runtimes
    from mlpack_toolkit.runtimes.server.needs import NEEDS as SERVER

    from . import environments, images

    yield RUNNING
    for name in converters.names():
        yield from converters.load(name).needs
    yield from SERVER
    yield from environments.NEEDS
    for name in runtimes.names():
        yield from runtimes.load(name).needs
    for name in images.names():
        yield from images.load(name).needs


def extras() -> dict[str, list[str]]:
    """The package's extras: by name, the requirements for pip, each once."""
    found: dict[str, dict[str, None]] = {}
    for need in needs():
        if isinstance(need, Requirement) and need.extra:
            found.setdefault(need.extra, {})[need.text] = None
    return {name: list(texts) for name, texts in found.items()}
