"""Folders with a file for each variant of a thing: the names, without importing any of the files."""

from __future__ import annotations

from collections.abc import Iterable
from pkgutil import iter_modules


def names_in(folders: Iterable[str], *others: str) -> tuple[str, ...]:
    """The names of the modules in the folders, sorted, but for private ones and `others`."""
    found = (module.name for module in iter_modules(list(folders)))
    return tuple(sorted(name for name in found if name[0] != "_" and name not in others))
