"""What the features of mlpack need, by asking every variant: converters, runtimes, kinds of images, environments."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack_toolkit.converters.spec import Need, Requirement

RUNNING = Requirement("onnxruntime", purpose="running graphs")


def needs() -> Iterator[Need]:
    """All of them, in the order in which `mlpack doctor` shows them."""
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
    """The extras of the package, by name: what pip installs for each."""
    found: dict[str, list[str]] = {}
    for need in needs():
        if isinstance(need, Requirement) and need.extra:
            found.setdefault(need.extra, []).append(need.text)
    return found
