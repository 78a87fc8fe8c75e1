"""What a model is; one file per framework, each ending in `CONVERTER = Converter(...)`.

Runs in the model's own interpreter, under a private name: Python 3.9, the standard library, and the model's packages.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from .spec import Converter

_NOT_FRAMEWORKS = ("artifact", "spec")


def names() -> tuple[str, ...]:
    """The frameworks that there is a file for, sorted; imports none of them."""
    found = (m.name for m in iter_modules(__path__))
    return tuple(sorted(n for n in found if n not in _NOT_FRAMEWORKS and not n.startswith("_")))


def load(name: str) -> Converter:
    """The converter of that name."""
    converter: Converter = import_module(f"{__name__}.{name}").CONVERTER
    return converter


def for_object(fitted: Any) -> Converter | None:
    """The converter whose packages hold the object's class, else one that has a step for it; None: there is none."""
    found = for_package(type(fitted).__module__.split(".")[0])
    return found or next((c for c in map(load, names()) if c.step and not c.packages and c.step(fitted)), None)


def for_package(package: str) -> Converter | None:
    """The converter for classes of that top package."""
    return next((c for c in map(load, names()) if package in c.packages), None)


def for_file(path: Path) -> Converter | None:
    """The converter that knows this file, which is not a pickle, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(4096)
    return next((c for c in map(load, names()) if c.sniff is not None and c.sniff(path, head)), None)
