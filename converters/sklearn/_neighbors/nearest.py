"""The nearest training rows, and what is done where two lie at the same distance.

Among points at exactly the same distance a graph takes the first in one order: that of the training rows, or that of
the search tree's leaves. The original's choice depends on the way through its tree, and on its threads. Where its own
training rows show that its answers hang on that choice, and no such order gives them all, there is no graph.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Callable

from ..._graph.builder import GraphBuilder
from ...spec import Unsupported
from .. import _scores as scores
from . import distances as distances
from .distances import Metric, metric_of
from .rounding import by_product, rounded, rounds

SMALL = 4096
"""Cells of training data up to which every distance is computed directly."""
SPARE = 16
"""Candidates beyond the neighbours that are measured exactly."""
OUTLYING = 1e6
"""Largest ratio of squared reaches at which the quick choice of candidates is safe."""
ASKED = 2000
"""Training rows that are asked for ties, at most."""
ROUNDED = 400
"""Rows that are asked for rounding, at most."""
CELLS = 4_000_000
"""Distances that are held at a time while ties are looked for."""
ROUNDING = 1e-10
"""Relative difference of distances that rounding explains."""

Ask = Callable[[Any, Any], Any]
"""From an estimator and rows to its answers, a line per row."""


def points_of(search: Any) -> Any:
    """The training rows, `[M, F]` in float64."""
    import numpy as np

    data = search._fit_X
    return np.asarray(data.toarray() if hasattr(data, "toarray") else data, np.float64)


@dataclass(frozen=True)
class Equals:
    """`order`: of training rows, in which the first of equals is taken. `crowded`: some meet very many equals."""

    order: Any
    crowded: bool


def nearest(graph: GraphBuilder, x: str, search: Any, count: int, equals: Equals) -> tuple[str, str]:
    """The distances and the training rows of the `count` nearest neighbours, both `[N, K]`, the nearest first."""
    points, metric = points_of(search)[equals.order], metric_of(search)
    if not equals.crowded and metric.name in ("euclidean", "sqeuclidean") and _many(points, count):
        rank, rows = _by_candidates(graph, x, points, count)
    else:
        rank, rows = smallest(graph, distances.ranks(graph, x, points, metric), count)
    if (equals.order[1:] < equals.order[:-1]).any():
        rows = graph.op("Gather", graph.const(equals.order, "int64"), rows)
    return distances.finished(graph, rank, metric), rows


def smallest(graph: GraphBuilder, values: str, count: int) -> tuple[str, str]:
    """The `count` smallest of each row and their positions, the first of equals first."""
    found = graph.ops("TopK", [values, graph.const([count], "int64")], 2, axis=1, largest=0, sorted=1)
    return found[0], found[1]


def inverse(away: str, graph: GraphBuilder) -> str:
    """Inverse distances, `[N, K]`; where one is 0, the points at 0 count alone."""
    found = graph.op("Div", graph.const(1.0), away)
    endless = scores.as_real(graph, graph.op("IsInf", found))
    return graph.op("Where", any_of(endless, graph), endless, found)


def any_of(flags: str, graph: GraphBuilder) -> str:
    """Whether a row holds a 1, `bool [N, 1]`."""
    most = graph.op("ReduceMax", flags, graph.const([1], "int64"), keepdims=1)
    return graph.op("Greater", most, graph.const(0.0))


def _many(points: Any, count: int) -> bool:
    """Whether choosing candidates first saves work, and is safe: no row lies absurdly far from the others."""
    import numpy as np

    if points.size <= SMALL or len(points) <= 2 * (count + SPARE):
        return False
    reach = np.square(points - points.mean(axis=0)).sum(axis=1)
    return bool(reach.max() <= OUTLYING * np.median(reach))


def _by_candidates(graph: GraphBuilder, x: str, points: Any, count: int) -> tuple[str, str]:
    """A matrix product chooses candidates; their squared distances are then measured directly."""
    rough = distances.nearness(graph, x, points)
    chosen = smallest(graph, rough, count + SPARE)[1]
    in_order = smallest(graph, chosen, count + SPARE)[0]
    near = graph.op("Gather", graph.const(points), in_order, axis=0)
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), near)
    exact = graph.op("ReduceSumSquare", apart, graph.const([2], "int64"), keepdims=0)
    square, positions = smallest(graph, exact, count)
    return square, graph.op("GatherElements", in_order, positions, axis=1)


def equals_of(fitted: Any, count: int, ask: Ask, place: str = "") -> Equals:
    """What to do among training rows at the same distance, by what the original does on rows made of its training data.

    `place`: the attribute of `fitted` that searches, where it is not `fitted` itself. For rows whose
    `count`-th neighbour is as far as the next, the original is asked as it is, and with an order forced upon it;
    `Unsupported` where the answers differ in every order, or where its distances are rounding noise.
    """
    search = getattr(fitted, place) if place else fitted
    orders, wrong = _orders(search), []
    found = _look(search, count)
    if _hangs_on_rounding(fitted, found, orders[0], count, ask, place):
        raise Unsupported(NOISE.format(type(fitted).__name__))
    for order in orders:
        wrong.append(_otherwise(fitted, found.tied, order, count, ask, place) if len(found.tied) else 0)
        if not wrong[-1]:
            return Equals(order, found.crowded)
    raise Unsupported(_TIES.format(type(fitted).__name__, min(wrong), found.asked, count))


_TIES = (
    "the {} decides among neighbours that lie exactly as far (ties): for {} of {} rows made of its training data "
    "neighbour {} and the next one are at the same distance, and which of them the original takes depends on the way "
    "through its search, so no graph is equal; remove duplicate rows, take another number of neighbours, or fit on "
    "features with more digits"
)
NOISE = (
    "the {} measures distances by a product of matrices (algorithm='brute', or 'auto' with many columns), by which "
    "on some processors the distance of a training row from itself is not 0; the answers depend on that rounding, "
    "which no graph repeats: fit with algorithm='kd_tree'"
)


def _hangs_on_rounding(fitted: Any, found: _Found, order: Any, count: int, ask: Ask, place: str) -> bool:
    """Whether the answers show the rounding of distances: that of this processor, or one drawn alike on all."""
    if len(found.noisy) and _otherwise(fitted, found.noisy, order, count, ask, place):
        return True
    if not len(found.rounded):
        return False
    drawn, exact = (_ordered(fitted, count, order, place, rounding) for rounding in (True, False))
    return differing(answers_of(ask, drawn, found.rounded), answers_of(ask, exact, found.rounded)) > 0


def _otherwise(fitted: Any, rows: Any, order: Any, count: int, ask: Ask, place: str) -> int:
    """For how many rows the original answers otherwise than with that order forced upon it."""
    other = _ordered(fitted, count, order, place)
    return differing(answers_of(ask, fitted, rows), answers_of(ask, other, rows))


def _ordered(fitted: Any, count: int, order: Any, place: str, rounding: bool = False) -> Any:
    """The estimator with an order forced upon its search, and with distances as some processor may round them."""
    forced = _forced(getattr(fitted, place) if place else fitted, count, order, rounding)
    if not place:
        return forced
    other = copy.copy(fitted)
    setattr(other, place, forced)
    return other


def _orders(search: Any) -> list[Any]:
    """The order of the training rows, and that of the tree's leaves where there is a tree."""
    import numpy as np

    tree = getattr(search, "_tree", None)
    leaves = [] if tree is None else [np.asarray(tree.idx_array, np.int64)]
    return [np.arange(len(points_of(search))), *leaves]


@dataclass(frozen=True)
class _Found:
    """Rows with a tie at the last neighbour, training rows not at 0 from themselves, and how many were looked at.

    `rounded`: of those, the rows from which some processor may round distances.
    """

    tied: Any
    noisy: Any
    asked: int
    rounded: Any
    crowded: bool = False


def _look(search: Any, count: int) -> _Found:
    """What a sample of the training rows meets."""
    import numpy as np

    points = points_of(search)
    most = max(min(ASKED, CELLS // len(points)), 50)
    own = points[np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).astype(np.int64))]
    rows = np.vstack([own, _mixed(points, most)])
    wanted = min(count + SPARE, len(points))
    away = np.asarray(_quietly(search.kneighbors, like_fitted(search, rows), wanted)[0])
    noisy = own[away[: len(own), 0] > 0] if search._fit_method == "brute" else own[:0]
    shaky = shaky_of(search, rows)
    if count >= len(points):
        return _Found(rows[:0], noisy, len(rows), shaky)
    with np.errstate(invalid="ignore"):
        beyond = away - away[:, count - 1 : count] <= ROUNDING * away
    tied = beyond[:, count]
    return _Found(rows[tied], noisy, len(rows), shaky, bool(beyond[:, -1].any()))


def shaky_of(search: Any, rows: Any) -> Any:
    """Some of the rows from which some processor may round the distances."""
    import numpy as np

    if not by_product(search):
        return rows[:0]
    found = rows[rounds(rows, metric_of(search))]
    return found[np.unique(np.linspace(0, max(len(found) - 1, 0), min(ROUNDED, len(found))).astype(np.int64))]


def _mixed(points: Any, count: int) -> Any:
    """Rows whose cells come from training rows, each column's on its own, where every column repeats its values.

    Rows to come lie on the same grid then, and meet ties that the training rows do not; other data have none to meet.
    """
    import numpy as np

    if any(2 * len(np.unique(column)) > len(points) for column in points.T):
        return points[:0]
    drawn = np.random.RandomState(0).randint(0, len(points), (count, points.shape[1]))
    return np.take_along_axis(points, drawn, 0)


def like_fitted(fitted: Any, rows: Any) -> Any:
    """The rows as the original wants them: a data frame where it was fitted on one."""
    names = getattr(fitted, "feature_names_in_", None)
    if names is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=names)


def _quietly(call: Callable[..., Any], *given: Any) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*given)


def answers_of(ask: Ask, fitted: Any, rows: Any) -> Any:
    """What the estimator answers to the rows, a line per row."""
    import numpy as np

    found = _quietly(ask, fitted, like_fitted(fitted, rows))
    dense = found.toarray() if hasattr(found, "toarray") else np.asarray(found, np.float64)
    return dense.reshape(len(rows), -1)


def differing(one: Any, other: Any) -> int:
    """In how many lines the two differ by more than rounding."""
    import numpy as np

    return int((~np.isclose(one, other, rtol=1e-9, atol=1e-10, equal_nan=True)).any(axis=1).sum())


def _forced(search: Any, count: int, order: Any, rounding: bool) -> Any:
    """The same search, with the first in that order among equals."""
    import numpy as np

    points, metric = points_of(search)[order], metric_of(search)

    def kneighbors(x: Any, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        away = measured(np.asarray(x, np.float64), points, metric)
        away = rounded(away, np.asarray(x, np.float64), points, metric) if rounding else away
        rows = np.argsort(away, axis=1, kind="stable")[:, : n_neighbors or count]
        return (np.take_along_axis(away, rows, 1), order[rows]) if return_distance else order[rows]

    twin = copy.copy(search)
    twin.kneighbors = kneighbors
    twin._fit_method = "kd_tree"  # brute force would not ask `kneighbors`
    return twin


def measured(x: Any, points: Any, metric: Metric) -> Any:
    """Distances as the graph measures them."""
    import numpy as np
    from sklearn.metrics import DistanceMetric, pairwise_distances

    if metric.name == "cosine":
        return pairwise_distances(x, points, metric=metric.name)
    if metric.name not in ("euclidean", "sqeuclidean"):
        return DistanceMetric.get_metric(metric.name, **metric.settings).pairwise(x, points)
    square = np.zeros((len(x), len(points)))
    for i in range(points.shape[1]):
        square += np.square(x[:, i : i + 1] - points[:, i])
    return np.sqrt(square) if metric.name == "euclidean" else square
