"""The imputer that fills a missing cell from the nearest training rows with a value there."""

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

PROBED = 500
"""Maximum number of training rows with missing cells that are checked."""
FAR = 1e6
"""A number that is large compared with the others of a row."""


def nearest_rows(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the frame filled, without the columns that were empty in the fit; then the indicators."""
    if callable(fitted.metric) or callable(fitted.weights):
        raise Unsupported("KNNImputer has a custom metric or weights (a function), which have no converter")
    _refuse_rounding(fitted)
    x = graph.matrix(frame)
    mask = holes_of(x.name, fitted.missing_values, graph)
    open_x = x.name if is_missing(fitted.missing_values) else _opened(x.name, mask, graph)
    away = distances.ranks(graph, open_x, _points(fitted), Metric("nan_euclidean"))
    away = graph.op("Where", graph.op("IsNaN", away), graph.const(float("inf")), away)
    columns = []
    for i, valid in enumerate(fitted._valid_mask):
        if valid:
            fill = _filling(fitted, i, away, graph)
            own = scores.pick(graph, x.name, i)
            columns.append(graph.op("Where", scores.pick(graph, mask, i), fill, own))
        elif getattr(fitted, "keep_empty_features", False):
            columns.append(graph.op("Mul", scores.as_real(graph, scores.pick(graph, mask, i)), graph.const(0.0)))
    return imputed(fitted, columns, mask, x.width, graph)


def _opened(x: str, mask: str, graph: GraphBuilder) -> str:
    return graph.op("Where", mask, graph.const(float("nan")), x)


def _points(fitted: Any) -> Any:
    """Returns the training rows with NaN where cells are missing."""
    import numpy as np

    return np.where(fitted._mask_fit_X, np.nan, np.asarray(fitted._fit_X, np.float64))


def _filling(fitted: Any, column: int, away: str, graph: GraphBuilder) -> str:
    """Returns the fill of the column's missing cells, `[N, 1]`; the column's mean where no donor shares a column."""
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


def _refuse_rounding(fitted: Any) -> None:
    """Raises `Unsupported` where training rows show that the original does not choose the first of equally near rows.

    Weights by distance also expose the rounding of its distances, in rows near a training row or with a large number.
    """
    import numpy as np

    incomplete = np.flatnonzero((fitted._mask_fit_X & fitted._valid_mask).any(axis=1))[:PROBED]
    one_more = _one_more_missing(fitted)
    rows = np.array(fitted._fit_X[: len(one_more)], np.float64)
    probed = np.array(fitted._fit_X[incomplete], np.float64) if len(incomplete) else rows
    tied, wrong = _ties_and_differences(fitted, probed, fitted._mask_fit_X[incomplete] if len(incomplete) else one_more)
    if (tied & wrong).any():
        raise Unsupported(_TIES.format((tied & wrong).sum(), len(probed), fitted.n_neighbors, ""))
    left = _all_but_one(fitted)
    tied, wrong = _ties_and_differences(fitted, rows, left)
    if (tied & wrong).any():
        raise Unsupported(_TIES.format((tied & wrong).sum(), len(rows), fitted.n_neighbors, _ALL_BUT_ONE))
    if fitted.weights == "distance":
        place, width = np.arange(len(rows)), rows.shape[1]
        far = rows.copy()
        far[place, (place + 1) % width] = FAR
        apart = one_more.copy()
        apart[place, (place + 1) % width] = width == 1
        shown = (
            _ties_and_differences(fitted, rows, one_more)[1].any() or _ties_and_differences(fitted, far, apart)[1].any()
        )
        if shown or _depends_on_rounding(fitted, rows, one_more):
            raise Unsupported(_NOISE)


def _depends_on_rounding(fitted: Any, rows: Any, mask: Any) -> bool:
    """Returns whether fills differ by distances as some processor may round them, simulated with a fixed seed."""
    import numpy as np

    points, open_rows = _points(fitted), np.where(mask, np.nan, rows)
    exact = _measured(open_rows, points)
    drawn = rounded(exact, np.nan_to_num(open_rows), np.nan_to_num(points), Metric("euclidean"))
    for column in map(int, np.flatnonzero(fitted._valid_mask)):
        mine = np.flatnonzero(mask[:, column])
        one, other = (_filled(fitted, column, away[mine])[1] for away in (drawn, exact))
        if not np.allclose(one, other, rtol=1e-9, atol=1e-10, equal_nan=True):
            return True
    return False


def _one_more_missing(fitted: Any) -> Any:
    """Returns the missing mask of the first training rows, with one more missing cell in each row."""
    import numpy as np

    mask = np.array(fitted._mask_fit_X[:PROBED])
    place = np.arange(len(mask))
    mask[place, place % mask.shape[1]] = True
    return mask


def _all_but_one(fitted: Any) -> Any:
    """Returns the missing mask of the first training rows, with all but one cell missing: few numbers make ties."""
    import numpy as np

    mask = np.array(fitted._mask_fit_X[:PROBED])
    place = np.arange(len(mask))
    keep = np.zeros_like(mask)
    keep[place, place % mask.shape[1]] = True
    return mask | ~keep


_TIES = (
    "the KNNImputer has to choose among rows at equal distances (ties): in {} of {} incomplete training rows neighbour "
    "{} and the next one are at the same distance, and the original may use either{}; change n_neighbors, or scale "
    "the columns so that distances differ"
)
_ALL_BUT_ONE = (
    " (rows with all cells but one missing: a column of integers has many rows at one distance; impute it differently)"
)
_NOISE = (
    "the KNNImputer weights by distances that the original computes by a matrix product, and whose rounding, on this "
    "processor or another, changes its fills: no graph repeats it; fit with weights='uniform'"
)


def _ties_and_differences(fitted: Any, rows: Any, mask: Any) -> tuple[Any, Any]:
    """Returns which rows have a tie at a missing cell's last donor, and which the original fills differently."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = np.where(mask, fitted.missing_values, rows)
        want = np.asarray(fitted.transform(like_fitted(fitted, given)), np.float64)
    kept = np.flatnonzero(fitted._valid_mask | getattr(fitted, "keep_empty_features", False))
    away = _measured(np.where(mask, np.nan, rows), _points(fitted))
    tied, wrong = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for place, column in enumerate(map(int, kept)):
        mine = np.flatnonzero(mask[:, column])
        if fitted._valid_mask[column] and len(mine):
            equal, value = _filled(fitted, column, away[mine])
            other = ~np.isclose(value, want[mine, place], rtol=1e-9, atol=1e-10, equal_nan=True)
            tied[mine[equal & other]] = True
            wrong[mine[other & ~np.isnan(value)]] = True
    return tied, wrong


def _measured(rows: Any, points: Any) -> Any:
    """Returns NaN-Euclidean distances as the graph computes them, infinite where no column is shared."""
    import numpy as np

    total, shared = np.zeros((len(rows), len(points))), np.zeros((len(rows), len(points)))
    for i in range(points.shape[1]):
        square = np.square(rows[:, i : i + 1] - points[:, i])
        total += np.where(np.isnan(square), 0.0, square)
        shared += ~np.isnan(square)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(shared == 0, np.inf, np.sqrt(total / shared * points.shape[1]))


def _filled(fitted: Any, column: int, away: Any) -> tuple[Any, Any]:
    """Returns, per row, whether the last donor is as far as the next one, and the graph's fill (NaN: the mean)."""
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
