"""Converters of models to ONNX graphs; one file per framework, each ending in `CONVERTER = Converter(...)`.

Runs in the model's own interpreter, under a private name: Python 3.9, the standard library, and the model's packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from .plugin import Converter, Given

_SHARED = "artifact bfloat16 graph_file image latency messages needs plugin rds rds_frame rds_writer spec table variant"
"""Files of this folder that are no framework's."""


def names() -> tuple[str, ...]:
    """Returns the sorted names of the frameworks with a converter, without importing them."""
    return _names_in(tuple(__path__))


@cache
def _names_in(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Looks at the disk once, as a conversion asks for each step of a pipeline."""
    found = (m.name for m in iter_modules(folders))
    return tuple(sorted(n for n in found if n not in _SHARED.split() and not n.startswith("_")))


def load(name: str) -> Converter:
    """Returns the converter called `name`."""
    converter: Converter = import_module(f"{__name__}.{name}").CONVERTER
    return converter


def with_options() -> tuple[str, ...]:
    """The frameworks that declare options; imports none of them, for `--help` must not wait for all."""
    files = {
        name: (Path(place, f"{name}.py"), Path(place, name, "__init__.py")) for place in __path__ for name in names()
    }
    return tuple(
        name for name, each in files.items() if any(f.is_file() and "options=" in f.read_text("utf-8") for f in each)
    )


def given_to(converter: Converter, options: Mapping[str, Given]) -> Given:
    """The values of the converter's own options, out of those of all frameworks."""
    return converter.source.given(options.get(converter.name, {}))


def for_object(fitted: Any) -> Converter | None:
    """Returns the converter whose packages define the object's class, else one that has a step for it, else None."""
    found = for_package(type(fitted).__module__.split(".")[0])
    return found or next((c for c in map(load, names()) if _own_step(c, fitted)), None)


def _own_step(converter: Converter, fitted: Any) -> bool:
    """Whether a converter of no package of its own has a step for the object."""
    step = converter.export.step
    return step is not None and not converter.source.packages and step(fitted) is not None


def for_package(package: str) -> Converter | None:
    """The converter for classes of that top package."""
    return next((c for c in map(load, names()) if package in c.source.packages), None)


def for_container(kind: str, path: Path) -> Converter | None:
    """The converter that reads files of that container; where several do, the one that knows this file."""
    readers = [c for c in map(load, names()) if kind in c.source.containers]
    if not readers:
        return None
    with path.open("rb") as file:
        head = file.read(4096)
    return next((c for c in readers if c.source.sniff is None or c.source.sniff(path, head)), None)
