"""Kinds of variants: smaller or faster forms of a graph, one file each, ending in `KIND = Kind(...)`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ..errors import UsageError
from ..registry import names_in
from .spec import Kind


def names() -> tuple[str, ...]:
    """The names of the kinds, sorted; imports none of their modules."""
    return names_in(__path__, "spec")


def with_options() -> tuple[str, ...]:
    """The names of the kinds that declare options; imports none of them."""
    files = {name: Path(place, f"{name}.py") for place in __path__ for name in names()}
    return tuple(name for name, file in files.items() if "options=" in file.read_text("utf-8"))


def load(name: str) -> Kind:
    """The kind of that name; raises `UsageError`."""
    if name not in names():
        raise UsageError(f"there is no kind of variant {name!r}; there are: {', '.join(names())}")
    kind: Kind = import_module(f"{__name__}.{name}").KIND
    return kind
