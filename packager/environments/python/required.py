"""Computes the distributions that a model needs at least: those of its packages, and their requirements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .markers import holds

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Node = tuple[str, str]
"""A distribution's canonical name, and one of its extras or an empty string."""


def needed(
    packages: Sequence[str], distributions: Sequence[Mapping[str, Any]], markers: Mapping[str, str]
) -> frozenset[str]:
    """Canonical names of the distributions with these top-level import packages and of all their requirements.

    Where several distributions share a package (`google`), all of them count, as the name alone does not decide.
    """
    lines = _lines(distributions)
    waiting: list[Node] = [(name, "") for name in _holders(packages, distributions)]
    seen: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in seen and node[0] in lines:
            seen.add(node)
            waiting += _next(_requirements(lines[node[0]]), node[1], markers)
    return frozenset(name for name, _ in seen)


def _holders(packages: Sequence[str], distributions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    from packaging.utils import canonicalize_name

    tops = {package.partition(".")[0] for package in packages}
    return (canonicalize_name(d["name"]) for d in distributions if not tops.isdisjoint(d.get("tops", ())))


def _lines(distributions: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Canonical name to the lines of its requirements."""
    from packaging.utils import canonicalize_name

    found: dict[str, list[str]] = defaultdict(list)
    for each in distributions:
        found[canonicalize_name(each["name"])] += each.get("requires", ())
    return dict(found)


def _requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    """Skips invalid lines, as old metadata contains some."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in lines:
        with suppress(InvalidRequirement):
            yield Requirement(line)


def _next(requirements: Iterable[Requirement], extra: str, markers: Mapping[str, str]) -> Iterator[Node]:
    from packaging.utils import canonicalize_name

    for each in requirements:
        if holds(each.marker, markers, extra):
            name = canonicalize_name(each.name)
            yield name, ""
            yield from ((name, canonicalize_name(wanted)) for wanted in each.extras)
