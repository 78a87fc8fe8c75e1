"""The imputer that fills a missing cell from the nearest training rows that have it."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._categories import is_missing
from ._missing_mask import holes_of, imputed
from ._neighbors import distances as distances
from ._neighbors.distances import Metric
from ._neighbors.nearest import ROUNDING, any_of, inverse, like_fitted, smallest
from ._neighbors.rounding import rounded

ASKED = 500
"""Training rows with holes that are asked, at most."""
FAR = 1e6
"""A large number beside the others of a row."""


def nearest_rows(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The frame with missing cells filled, without the columns that had none in the fit; then the indicators."""
    if callable(fitted.metric) or callable(fitted.weights):
        raise Unsupported("KNNImputer has a metric or weights of its own (a function): there is no converter for them")
    _refuse_what_hangs_on_rounding(fitted)
    x = graph.matrix(frame)
    holes = holes_of(x.name, fitted.missing_values, graph)
    open_x = x.name if is_missing(fitted.missing_values) else _opened(x.name, holes, graph)
    away = distances.ranks(graph, open_x, _points(fitted), Metric("nan_euclidean"))
    away = graph.op("Where", graph.op("IsNaN", away), graph.const(float("inf")), away)
    columns = []
    for i, valid in enumerate(fitted._valid_mask):
        if valid:
            fill = _filling(fitted, i, away, graph)
            own = scores.pick(graph, x.name, i)
            columns.append(graph.op("Where", scores.pick(graph, holes, i), fill, own))
        elif getattr(fitted, "keep_empty_features", False):
            columns.append(graph.op("Mul", scores.as_real(graph, scores.pick(graph, holes, i)), graph.const(0.0)))
    return imputed(fitted, columns, holes, x.width, graph)


def _opened(x: str, holes: str, graph: GraphBuilder) -> str:
    return graph.op("Where", holes, graph.const(float("nan")), x)


def _points(fitted: Any) -> Any:
    """The training rows with NaN where cells are missing."""
    import numpy as np

    return np.where(fitted._mask_fit_X, np.nan, np.asarray(fitted._fit_X, np.float64))


def _filling(fitted: Any, column: int, away: str, graph: GraphBuilder) -> str:
    """What a missing cell of the column is filled with, `[N, 1]`; the column's mean where no donor shares a column."""
    import numpy as np

    missing = fitted._mask_fit_X[:, column]
    donors = int((~missing).sum())
    apart = graph.op("Add", away, graph.const(np.where(missing, np.inf, 0.0)[None])) if missing.any() else away
    near, rows = smallest(graph, apart, min(fitted.n_neighbors, donors))
    values = np.where(missing, 0.0, np.asarray(fitted._fit_X, np.float64)[:, column])
    known = scores.as_real(graph, graph.op("Not", graph.op("IsInf", near)))
    weights = inverse(near, graph) if fitted.weights == "distance" else known
    row = graph.const([1], "int64")
    part = graph.op("Mul", weights, graph.op("Gather", graph.const(values), rows))
    total = graph.op("ReduceSum", weights, row, keepdims=1)
    some = any_of(known, graph)
    share = graph.op("Div", graph.op("ReduceSum", part, row, keepdims=1), graph.op("Where", some, total, _one(graph)))
    return graph.op("Where", some, share, graph.const([[float(values[~missing].mean())]]))


def _one(graph: GraphBuilder) -> str:
    return graph.const([[1.0]])


def _refuse_what_hangs_on_rounding(fitted: Any) -> None:
    """`Unsupported` where training rows show that the original does not take the first of equally near rows.

    Weights by distance show the rounding of its distances too, in rows near a training row or with a large number.
    """
    import numpy as np

    holed = np.flatnonzero((fitted._mask_fit_X & fitted._valid_mask).any(axis=1))[:ASKED]
    pierced = _pierced(fitted)
    rows = np.array(fitted._fit_X[: len(pierced)], np.float64)
    asked = np.array(fitted._fit_X[holed], np.float64) if len(holed) else rows
    tied, wrong = _otherwise(fitted, asked, fitted._mask_fit_X[holed] if len(holed) else pierced)
    if (tied & wrong).any():
        raise Unsupported(_TIES.format((tied & wrong).sum(), len(asked), fitted.n_neighbors, ""))
    left = _left_alone(fitted)
    tied, wrong = _otherwise(fitted, rows, left)
    if (tied & wrong).any():
        raise Unsupported(_TIES.format((tied & wrong).sum(), len(rows), fitted.n_neighbors, _LEFT_ALONE))
    if fitted.weights == "distance":
        place, width = np.arange(len(rows)), rows.shape[1]
        far = rows.copy()
        far[place, (place + 1) % width] = FAR
        apart = pierced.copy()
        apart[place, (place + 1) % width] = width == 1
        shown = _otherwise(fitted, rows, pierced)[1].any() or _otherwise(fitted, far, apart)[1].any()
        if shown or _hangs_on_rounding(fitted, rows, pierced):
            raise Unsupported(_NOISE)


def _hangs_on_rounding(fitted: Any, rows: Any, holes: Any) -> bool:
    """Whether fillings differ by distances as some processor may round them, drawn alike on every machine."""
    import numpy as np

    points, open_rows = _points(fitted), np.where(holes, np.nan, rows)
    exact = _measured(open_rows, points)
    drawn = rounded(exact, np.nan_to_num(open_rows), np.nan_to_num(points), Metric("euclidean"))
    for column in map(int, np.flatnonzero(fitted._valid_mask)):
        mine = np.flatnonzero(holes[:, column])
        one, other = (_filled(fitted, column, away[mine])[1] for away in (drawn, exact))
        if not np.allclose(one, other, rtol=1e-9, atol=1e-10, equal_nan=True):
            return True
    return False


def _pierced(fitted: Any) -> Any:
    """Which cells of the first training rows are missing, with one more in each row."""
    import numpy as np

    holes = np.array(fitted._mask_fit_X[:ASKED])
    place = np.arange(len(holes))
    holes[place, place % holes.shape[1]] = True
    return holes


def _left_alone(fitted: Any) -> Any:
    """Which cells of the first training rows are missing, with all but one in each row: few numbers make ties."""
    import numpy as np

    holes = np.array(fitted._mask_fit_X[:ASKED])
    place = np.arange(len(holes))
    keep = np.zeros_like(holes)
    keep[place, place % holes.shape[1]] = True
    return holes | ~keep


_TIES = (
    "the KNNImputer decides among rows that lie exactly as far (ties): in {} of {} training rows with holes neighbour "
    "{} and the next one are at the same distance, and the original takes either{}; take another n_neighbors, or scale "
    "the columns so that distances differ"
)
_LEFT_ALONE = (
    " (rows that lack all cells but one: a column of whole numbers has many rows at one distance; impute it otherwise)"
)
_NOISE = (
    "the KNNImputer weighs by distances that the original measures by a product of matrices, and whose rounding, this "
    "processor's or another's, shows in its fillings: no graph repeats it; fit with weights='uniform'"
)


def _otherwise(fitted: Any, rows: Any, holes: Any) -> tuple[Any, Any]:
    """Which rows have a tie at the last donor of a missing cell, and which the original fills otherwise than we do."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = np.where(holes, fitted.missing_values, rows)
        want = np.asarray(fitted.transform(like_fitted(fitted, given)), np.float64)
    kept = np.flatnonzero(fitted._valid_mask | getattr(fitted, "keep_empty_features", False))
    away = _measured(np.where(holes, np.nan, rows), _points(fitted))
    tied, wrong = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for place, column in enumerate(map(int, kept)):
        mine = np.flatnonzero(holes[:, column])
        if fitted._valid_mask[column] and len(mine):
            equal, value = _filled(fitted, column, away[mine])
            other = ~np.isclose(value, want[mine, place], rtol=1e-9, atol=1e-10, equal_nan=True)
            tied[mine[equal & other]] = True
            wrong[mine[other & ~np.isnan(value)]] = True
    return tied, wrong


def _measured(rows: Any, points: Any) -> Any:
    """NaN-euclidean distances as the graph measures them, infinite where no column is shared."""
    import numpy as np

    total, shared = np.zeros((len(rows), len(points))), np.zeros((len(rows), len(points)))
    for i in range(points.shape[1]):
        square = np.square(rows[:, i : i + 1] - points[:, i])
        total += np.where(np.isnan(square), 0.0, square)
        shared += ~np.isnan(square)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(shared == 0, np.inf, np.sqrt(total / shared * points.shape[1]))


def _filled(fitted: Any, column: int, away: Any) -> tuple[Any, Any]:
    """Per row, whether the last donor is as far as the next one, and what the graph fills in (NaN: the mean)."""
    import numpy as np

    donors = np.flatnonzero(~fitted._mask_fit_X[:, column])
    count = min(fitted.n_neighbors, len(donors))
    order = np.argsort(away[:, donors], axis=1, kind="stable")
    near = np.take_along_axis(away[:, donors], order[:, : count + 1], 1)
    values = np.asarray(fitted._fit_X, np.float64)[donors, column][order[:, :count]]
    with np.errstate(invalid="ignore", divide="ignore"):
        tied = near[:, -1] - near[:, count - 1] <= ROUNDING * near[:, -1]
        weights = np.isfinite(near[:, :count]).astype(float)
        if fitted.weights == "distance":
            touching = near[:, :count] == 0
            weights = np.where(touching.any(axis=1, keepdims=True), touching, 1.0 / near[:, :count])
        return tied & (count < len(donors)), (weights * values).sum(axis=1) / weights.sum(axis=1)


STEPS = {"KNNImputer": Step(nearest_rows)}
