"""Distances that depend on a processor's rounding, and a simulation of another processor's.

A distance by a matrix product is the root of a difference of large numbers. Whether it is 0 between a row and
itself depends on the linear algebra's kernel, which the processor determines. The rounding here is random with a fixed
seed, so that every machine comes to the same verdict.
"""

from __future__ import annotations

from typing import Any

from .distances import Metric, metric_of

BY_PRODUCT = ("euclidean", "sqeuclidean", "cosine")
"""Metrics that brute force computes by a matrix product."""
WHOLE = 2.0**53
"""Doubles represent every integer up to here."""


def by_product(search: Any) -> bool:
    """Returns whether a fitted neighbours search computes distances by a matrix product."""
    return bool(search._fit_method == "brute" and metric_of(search).name in BY_PRODUCT)


def rounds(rows: Any, metric: Metric) -> Any:
    """Returns for which rows some kernel may round the distance to the row itself, `bool [N]`."""
    import numpy as np

    if metric.name == "cosine":
        return np.ones(len(rows), bool)
    return ~(exact_squares(rows) | (rows.shape[1] == 1))


def exact_squares(rows: Any) -> Any:
    """Returns for which rows the sum of squares is exact, in any order and with or without fused steps, `bool [N]`.

    Their cells are integer multiples of one power of two, small enough for every sum to be an integer as well.
    """
    import numpy as np

    fraction, exponent = np.frexp(np.where(np.isfinite(rows), rows, 0.0))
    whole = np.abs(fraction * WHOLE).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    unit = np.where(whole == 0, np.iinfo(np.int32).max, exponent - 53 + lowest).min(axis=1, initial=2000)
    with np.errstate(over="ignore"):
        steps = np.ldexp(rows, -unit[:, None])
        return np.square(steps).sum(axis=1) < WHOLE


def rounded(away: Any, x: Any, points: Any, metric: Metric) -> Any:
    """Returns distances `[N, M]` as a processor may round them."""
    import numpy as np

    share = np.random.RandomState(0).uniform(size=away.shape) * rounds(x, metric)[:, None] * np.finfo(float).eps
    if metric.name == "cosine":
        return away + share
    size = np.square(x).sum(axis=1)[:, None] + np.square(points).sum(axis=1)
    if metric.name == "sqeuclidean":
        return away + share * size
    return np.sqrt(np.square(away) + share * size)
