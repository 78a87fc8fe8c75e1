"""One file per language or target that can load a bundle; each ends in `RUNTIME = Runtime(...)`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .spec import Runtime

NOT_TARGETS = ("engine", "server", "spec")


def names() -> tuple[str, ...]:
    """The names of the runtimes, sorted; imports none of them."""
    found = (m.name for m in iter_modules(__path__))
    return tuple(sorted(n for n in found if n not in NOT_TARGETS and not n.startswith("_")))


def load(name: str) -> Runtime:
    """The runtime of that name."""
    runtime: Runtime = import_module(f"{__name__}.{name}").RUNTIME
    return runtime


def of_image(kind: str) -> Runtime:
    """The runtime whose project an image of that kind is built from."""
    return next(runtime for runtime in map(load, names()) if runtime.image == kind)
