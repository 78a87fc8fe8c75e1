"""One file for each container of models; each ends in `SCANNER = Scanner(...)`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from ...registry import names_in
from ..scanner import Scanner


def names() -> tuple[str, ...]:
    """The names of the containers, sorted; imports none of them."""
    return names_in(__path__)


def load(name: str) -> Scanner:
    """The scanner of that name."""
    scanner: Scanner = import_module(f"{__name__}.{name}").SCANNER
    return scanner


@cache
def scanners() -> tuple[Scanner, ...]:
    """All scanners, those with `last` at the end."""
    return tuple(sorted(map(load, names()), key=lambda each: (each.last, each.name)))
