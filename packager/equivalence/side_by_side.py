"""The answers of several runners to the same golden cases, side by side: how far apart, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table

from ..bundle.golden import GoldenCase
from ..errors import UsageError
from .runners import Runner

RECORDED = "the original's recorded answers"


@dataclass(frozen=True)
class Place:
    """Where two answers to a golden case are furthest apart: the case, the index in the output, and both numbers."""

    case: str
    probe: str
    index: tuple[int, ...]
    first: float
    second: float

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this place."""
        return {**vars(self), "index": list(self.index)}


@dataclass
class Apart:
    """How far the answers of two runners are apart over all cases.

    `largest`: by output of fractions, the largest difference of two finite numbers; `places`: where that is, unless
    they are equal. `others`: by other output, at how many places they differ. `finite`: by output of fractions, at how
    many places only one is finite, or both are not and differ. `numbers`: how many were compared.
    """

    largest: dict[str, float] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    finite: dict[str, int] = field(default_factory=dict)
    numbers: int = 0

    @property
    def equal(self) -> bool:
        """Whether no number and no label differs."""
        return not self.places and not any(self.others.values()) and not any(self.finite.values())

    def note(self, case: GoldenCase, first: Table, second: Table) -> None:
        """Takes the answers to one more case."""
        for name, values in first.items():
            self.numbers += values.size
            if values.dtype.kind == "f":
                self._floats(name, case, values, second[name])
            else:
                self.others[name] = self.others.get(name, 0) + _unlike(values, second[name])

    def _floats(self, name: str, case: GoldenCase, first: Any, second: Any) -> None:
        a, b = first.astype(np.float64), np.asarray(second).astype(np.float64)
        finite = np.isfinite(a) & np.isfinite(b)
        odd = ~finite & ~((a == b) | (np.isnan(a) & np.isnan(b)))
        self.finite[name] = self.finite.get(name, 0) + int(odd.sum())
        apart = np.where(finite, np.abs(np.where(finite, a, 0) - np.where(finite, b, 0)), 0.0)
        most = float(apart.max(initial=0.0))
        if most > self.largest.setdefault(name, 0.0):
            self.largest[name] = most
            index = tuple(int(i) for i in np.unravel_index(int(apart.argmax()), apart.shape))
            self.places[name] = Place(case.identifier, case.probe, index, float(a[index]), float(b[index]))

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this comparison."""
        return {
            "numbers": self.numbers,
            "largest": dict(self.largest),
            "where": {name: place.to_json() for name, place in self.places.items()},
            "differing": {name: count for name, count in self.others.items() if count},
            "finite_on_one_side": {name: count for name, count in self.finite.items() if count},
        }


def _unlike(first: Any, second: Any) -> int:
    return int((np.asarray(first) != np.asarray(second)).sum())


Pair = tuple[str, str]


def side_by_side(runners: Sequence[Runner], cases: Iterable[GoldenCase]) -> Mapping[Pair, Apart]:
    """By the names of two, how far apart they are: each runner beside the recorded answers, and beside each other.

    Every runner answers each case once. `UsageError` where two have the same name.
    """
    names = [runner.name for runner in runners]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UsageError(f"{twice} was named twice: name each once")
    found: dict[Pair, Apart] = {pair: Apart() for pair in combinations((RECORDED, *names), 2)}
    for case in cases:
        for pair, first, second in _pairs(case, runners):
            found[pair].note(case, first, second)
    return found


def _pairs(case: GoldenCase, runners: Sequence[Runner]) -> Iterator[tuple[Pair, Table, Table]]:
    answers = {RECORDED: case.answers, **{runner.name: runner.run(case.rows) for runner in runners}}
    for first, second in combinations(answers, 2):
        yield (first, second), answers[first], answers[second]
