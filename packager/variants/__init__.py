"""Kinds of variants: smaller or faster forms of a graph, one file each, ending in `KIND = Kind(...)`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..errors import UsageError
from .spec import Kind


def names() -> tuple[str, ...]:
    """The names of the kinds, sorted; imports none of their modules."""
    return tuple(sorted(m.name for m in iter_modules(__path__) if m.name != "spec" and m.name[0] != "_"))


def load(name: str) -> Kind:
    """The kind of that name; raises `UsageError`."""
    if name not in names():
        raise UsageError(f"there is no kind of variant {name!r}; there are: {', '.join(names())}")
    kind: Kind = import_module(f"{__name__}.{name}").KIND
    return kind
