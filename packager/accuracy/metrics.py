"""The metrics of a gate: per row, how far a variant's answers are from its parent's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Metric:
    """One metric. `per_row(want, got)`: a number for each row of an output whose batch axis is the first.

    `higher`: a higher number is better, and the limit is the least that is allowed; else the limit is the most.
    `mean`: the number of all rows is their mean, else that of the worst row. `columns`: it needs an output with a last
    axis of two or more. `whole`: the number of a row without any difference. `meaning`: in words.
    """

    name: str
    per_row: Callable[[Array, Array], Array]
    meaning: str
    higher: bool = False
    mean: bool = False
    columns: bool = False

    @property
    def whole(self) -> float:
        return 1.0 if self.higher else 0.0

    def of_all(self, values: Array) -> float:
        """The number of all rows together."""
        if not len(values):
            return self.whole
        return float(values.mean() if self.mean else values.min() if self.higher else values.max())

    def holds(self, value: float, limit: float) -> bool:
        """Whether a number is within the limit; NaN never is."""
        return bool(value >= limit if self.higher else value <= limit)

    def worse(self, one: Array, other: Array) -> Array:
        """Row by row, the worse of two numbers."""
        return np.minimum(one, other) if self.higher else np.maximum(one, other)

    def most_loss(self, drop: float) -> float:
        """The limit that a largest drop from the parent means."""
        return self.whole - drop if self.higher else drop


def _top1(want: Array, got: Array) -> Array:
    same = np.argmax(want, axis=-1) == np.argmax(got, axis=-1)
    return np.asarray(same.reshape(len(same), -1).mean(axis=1), np.float64)


def _kl(want: Array, got: Array) -> Array:
    p, q = _distribution(want), _distribution(got)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, p * (np.log(p) - np.log(np.maximum(q, np.finfo(np.float64).tiny))), 0.0)
    found = np.maximum(parts.sum(axis=-1), 0.0)
    return np.asarray(found.reshape(len(found), -1).max(axis=1), np.float64)


def _distribution(values: Array) -> Array:
    """Probabilities along the last axis: the numbers themselves where they are some, else their softmax."""
    wide = values.astype(np.float64)
    if wide.size and (wide >= 0).all() and np.allclose(wide.sum(axis=-1), 1, atol=1e-3):
        return np.asarray(wide / wide.sum(axis=-1, keepdims=True))
    raised = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _cosine(want: Array, got: Array) -> Array:
    a, b = want.astype(np.float64), got.astype(np.float64)
    length = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    both = (np.linalg.norm(a, axis=-1) == 0) & (np.linalg.norm(b, axis=-1) == 0)
    found = np.where(both, 1.0, (a * b).sum(axis=-1) / np.where(length > 0, length, 1.0))
    return np.asarray(found.reshape(len(found), -1).min(axis=1), np.float64)


def _max_abs(want: Array, got: Array) -> Array:
    difference = np.abs(got.astype(np.float64) - want.astype(np.float64))
    return np.asarray(difference.reshape(len(difference), -1).max(axis=1, initial=0.0))


METRICS: Mapping[str, Metric] = {
    each.name: each
    for each in (
        Metric("top1", _top1, "share of rows with the same largest column", higher=True, mean=True, columns=True),
        Metric("kl", _kl, "largest Kullback-Leibler divergence from the parent's probabilities", columns=True),
        Metric("cosine", _cosine, "least cosine between the two answers", higher=True, columns=True),
        Metric("max_abs", _max_abs, "largest difference of two numbers"),
    )
}


def upper_bound(beyond: int, rows: int) -> float:
    """The share of all rows that may be beyond the limit, at 95 %: of none among n at most 3/n, else by Clopper and
    Pearson."""
    if not rows or beyond >= rows:
        return 1.0
    if not beyond:
        return min(1.0, 3 / rows)
    low, high = beyond / rows, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(beyond, rows, middle) > 0.05 else (low, middle)
    return high


def _at_most(beyond: int, rows: int, share: float) -> float:
    """The probability of so many or fewer among the rows, where each is one with this probability."""
    from math import exp, lgamma, log

    def term(k: int) -> float:
        ways = lgamma(rows + 1) - lgamma(k + 1) - lgamma(rows - k + 1)
        return exp(ways + k * log(share) + (rows - k) * log(1 - share)) if share < 1 else float(k == rows)

    return sum(term(k) for k in range(beyond + 1))
