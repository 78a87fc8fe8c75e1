"""Computes the distributions that a model needs at least: those of its packages, and their requirements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    required = _required(distributions)
    waiting: list[Node] = [(name, "") for name in _holders(packages, distributions)]
    seen: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node not in seen and node[0] in required:
            seen.add(node)
            waiting += _next(required[node[0]], node[1], markers)
    return frozenset(name for name, _ in seen)


def _holders(packages: Sequence[str], distributions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    from packaging.utils import canonicalize_name

    tops = {package.partition(".")[0] for package in packages}
    return (canonicalize_name(d["name"]) for d in distributions if not tops.isdisjoint(d.get("tops", ())))


def _required(distributions: Sequence[Mapping[str, Any]]) -> dict[str, list[Requirement]]:
    """Canonical name to requirements; skips invalid lines, as old metadata contains some."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, list[Requirement]] = defaultdict(list)
    for each in distributions:
        own = found[canonicalize_name(each["name"])]
        for line in each.get("requires", ()):
            try:
                own.append(Requirement(line))
            except InvalidRequirement:
                continue
    return dict(found)


def _next(requirements: Iterable[Requirement], extra: str, markers: Mapping[str, str]) -> Iterator[Node]:
    from packaging.utils import canonicalize_name

    for each in requirements:
        if holds(each.marker, markers, extra):
            name = canonicalize_name(each.name)
            yield name, ""
            yield from ((name, canonicalize_name(wanted)) for wanted in each.extras)
