"""Nearest training rows, and how ties in distance are resolved.

Among points at exactly the same distance a graph chooses the first in one order: that of the training rows, or that of
the search tree's leaves. The original's choice depends on its path through the tree, and on its threads. Where the
training rows show that its predictions depend on that choice, and no such order reproduces them all, there is no graph.
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
"""Up to this many cells of training data, every distance is computed directly."""
SPARE = 16
"""Candidates beyond the neighbours whose distances are computed exactly."""
OUTLYING = 1e6
"""Largest ratio of squared reaches at which the fast choice of candidates is safe."""
PROBED = 2000
"""Maximum number of training rows that are checked for ties."""
ROUNDED = 400
"""Maximum number of rows that are checked for rounding."""
CELLS = 4_000_000
"""Distances in memory at a time during the search for ties."""
ROUNDING = 1e-10
"""Relative difference of distances that rounding explains."""

Ask = Callable[[Any, Any], Any]
"""Maps an estimator and rows to its predictions, a line per row."""


def points_of(search: Any) -> Any:
    """Returns the training rows, `[M, F]` in float64."""
    import numpy as np

    data = search._fit_X
    return np.asarray(data.toarray() if hasattr(data, "toarray") else data, np.float64)


@dataclass(frozen=True)
class Equals:
    """`order`: of training rows, whose first is chosen among equals. `crowded`: some rows have very many equals."""

    order: Any
    crowded: bool


def nearest(graph: GraphBuilder, x: str, search: Any, count: int, equals: Equals) -> tuple[str, str]:
    """Returns the distances and training rows of the `count` nearest neighbours, both `[N, K]`, the nearest first."""
    points, metric = points_of(search)[equals.order], metric_of(search)
    if not equals.crowded and metric.name in ("euclidean", "sqeuclidean") and _many(points, count):
        rank, rows = _by_candidates(graph, x, points, count)
    else:
        rank, rows = smallest(graph, distances.ranks(graph, x, points, metric), count)
    if (equals.order[1:] < equals.order[:-1]).any():
        rows = graph.op("Gather", graph.const(equals.order, "int64"), rows)
    return distances.finished(graph, rank, metric), rows


def smallest(graph: GraphBuilder, values: str, count: int) -> tuple[str, str]:
    """Returns the `count` smallest of each row and their positions, the first among equals first."""
    found = graph.ops("TopK", [values, graph.const([count], "int64")], 2, axis=1, largest=0, sorted=1)
    return found[0], found[1]


def inverse(away: str, graph: GraphBuilder) -> str:
    """Returns inverse distances, `[N, K]`; where one is 0, only the points at 0 count."""
    found = graph.op("Div", graph.const(1.0), away)
    endless = scores.as_real(graph, graph.op("IsInf", found))
    return graph.op("Where", any_of(endless, graph), endless, found)


def any_of(flags: str, graph: GraphBuilder) -> str:
    """Returns whether a row contains a 1, `bool [N, 1]`."""
    most = graph.op("ReduceMax", flags, graph.const([1], "int64"), keepdims=1)
    return graph.op("Greater", most, graph.const(0.0))


def _many(points: Any, count: int) -> bool:
    """Returns whether choosing candidates first saves work, and is safe: no row is extremely far from the others."""
    import numpy as np

    if points.size <= SMALL or len(points) <= 2 * (count + SPARE):
        return False
    reach = np.square(points - points.mean(axis=0)).sum(axis=1)
    return bool(reach.max() <= OUTLYING * np.median(reach))


def _by_candidates(graph: GraphBuilder, x: str, points: Any, count: int) -> tuple[str, str]:
    """Chooses candidates by a matrix product, then computes their squared distances directly."""
    rough = distances.nearness(graph, x, points)
    chosen = smallest(graph, rough, count + SPARE)[1]
    in_order = smallest(graph, chosen, count + SPARE)[0]
    near = graph.op("Gather", graph.const(points), in_order, axis=0)
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), near)
    exact = graph.op("ReduceSumSquare", apart, graph.const([2], "int64"), keepdims=0)
    square, positions = smallest(graph, exact, count)
    return square, graph.op("GatherElements", in_order, positions, axis=1)


def equals_of(fitted: Any, count: int, ask: Ask, place: str = "") -> Equals:
    """Finds the order for ties in distance that reproduces the original on rows derived from its training data.

    `place`: the attribute of `fitted` that searches, where it is not `fitted` itself. For rows whose
    `count`-th neighbour is as far as the next, the original predicts unchanged, and with each order forced on it;
    raises `Unsupported` where the predictions differ in every order, or where its distances are rounding noise.
    """
    search = getattr(fitted, place) if place else fitted
    orders, wrong = _orders(search), []
    found = _look(search, count)
    if _depends_on_rounding(fitted, found, orders[0], count, ask, place):
        raise Unsupported(NOISE.format(type(fitted).__name__))
    for order in orders:
        wrong.append(_count_different(fitted, found.tied, order, count, ask, place) if len(found.tied) else 0)
        if not wrong[-1]:
            return Equals(order, found.crowded)
    raise Unsupported(_TIES.format(type(fitted).__name__, min(wrong), found.sampled, count))


_TIES = (
    "the {} has to choose among neighbours at equal distances (ties): for {} of {} rows made of its training data "
    "neighbour {} and the next one are at the same distance, and the original's choice depends on its path through the "
    "search, which no graph repeats; remove duplicate rows, choose another number of neighbours, or fit on "
    "features with more digits"
)
NOISE = (
    "the {} computes distances by a matrix product (algorithm='brute', or 'auto' with many columns), with which "
    "on some processors the distance of a training row from itself is not 0; the predictions depend on that rounding, "
    "which no graph repeats: fit with algorithm='kd_tree'"
)


def _depends_on_rounding(fitted: Any, found: _Found, order: Any, count: int, ask: Ask, place: str) -> bool:
    """Returns whether the predictions depend on the rounding of distances, by this processor or as simulated."""
    if len(found.noisy) and _count_different(fitted, found.noisy, order, count, ask, place):
        return True
    if not len(found.rounded):
        return False
    drawn, exact = (_ordered(fitted, count, order, place, rounding) for rounding in (True, False))
    return differing(answers_of(ask, drawn, found.rounded), answers_of(ask, exact, found.rounded)) > 0


def _count_different(fitted: Any, rows: Any, order: Any, count: int, ask: Ask, place: str) -> int:
    """Counts the rows for which the original predicts differently with that order forced on it."""
    other = _ordered(fitted, count, order, place)
    return differing(answers_of(ask, fitted, rows), answers_of(ask, other, rows))


def _ordered(fitted: Any, count: int, order: Any, place: str, rounding: bool = False) -> Any:
    """Returns the estimator with an order forced on its search, and with distances as some processor may round them."""
    forced = _forced(getattr(fitted, place) if place else fitted, count, order, rounding)
    if not place:
        return forced
    other = copy.copy(fitted)
    setattr(other, place, forced)
    return other


def _orders(search: Any) -> list[Any]:
    """Returns the order of the training rows, and that of the tree's leaves where there is a tree."""
    import numpy as np

    tree = getattr(search, "_tree", None)
    leaves = [] if tree is None else [np.asarray(tree.idx_array, np.int64)]
    return [np.arange(len(points_of(search))), *leaves]


@dataclass(frozen=True)
class _Found:
    """Rows with a tie at the last neighbour, training rows not at distance 0 from themselves, and the sample size.
    `rounded`: the sampled rows from which some processor may round distances."""

    tied: Any
    noisy: Any
    sampled: int
    rounded: Any
    crowded: bool = False


def _look(search: Any, count: int) -> _Found:
    """Looks for ties and noise in a sample of the training rows."""
    import numpy as np

    points = points_of(search)
    most = max(min(PROBED, CELLS // len(points)), 50)
    own = points[np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).astype(np.int64))]
    rows = np.vstack([own, _mixed(points, most)])
    width = min(count + SPARE, len(points))
    away = np.asarray(_quietly(search.kneighbors, like_fitted(search, rows), width)[0])
    noisy = own[away[: len(own), 0] > 0] if search._fit_method == "brute" else own[:0]
    shaky = shaky_of(search, rows)
    if count >= len(points):
        return _Found(rows[:0], noisy, len(rows), shaky)
    with np.errstate(invalid="ignore"):
        beyond = away - away[:, count - 1 : count] <= ROUNDING * away
    tied = beyond[:, count]
    return _Found(rows[tied], noisy, len(rows), shaky, bool(beyond[:, -1].any()))


def shaky_of(search: Any, rows: Any) -> Any:
    """Returns some of the rows from which some processor may round the distances."""
    import numpy as np

    if not by_product(search):
        return rows[:0]
    found = rows[rounds(rows, metric_of(search))]
    return found[np.unique(np.linspace(0, max(len(found) - 1, 0), min(ROUNDED, len(found))).astype(np.int64))]


def _mixed(points: Any, count: int) -> Any:
    """Returns rows whose cells are drawn from training rows, each column separately, if every column has repeats.

    New rows are then on the same grid, with ties that the training rows lack; other data have no such ties.
    """
    import numpy as np

    if any(2 * len(np.unique(column)) > len(points) for column in points.T):
        return points[:0]
    drawn = np.random.RandomState(0).randint(0, len(points), (count, points.shape[1]))
    return np.take_along_axis(points, drawn, 0)


def like_fitted(fitted: Any, rows: Any) -> Any:
    """Returns the rows in the original's input format: a data frame where it was fitted on one."""
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
    """Returns the estimator's predictions for the rows, a line per row."""
    import numpy as np

    found = _quietly(ask, fitted, like_fitted(fitted, rows))
    dense = found.toarray() if hasattr(found, "toarray") else np.asarray(found, np.float64)
    return dense.reshape(len(rows), -1)


def differing(one: Any, other: Any) -> int:
    """Counts the lines in which the two differ by more than rounding."""
    import numpy as np

    return int((~np.isclose(one, other, rtol=1e-9, atol=1e-10, equal_nan=True)).any(axis=1).sum())


def _forced(search: Any, count: int, order: Any, rounding: bool) -> Any:
    """Returns the same search, which chooses the first in that order among equals."""
    import numpy as np

    points, metric = points_of(search)[order], metric_of(search)

    def kneighbors(x: Any, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        away = measured(np.asarray(x, np.float64), points, metric)
        away = rounded(away, np.asarray(x, np.float64), points, metric) if rounding else away
        rows = np.argsort(away, axis=1, kind="stable")[:, : n_neighbors or count]
        return (np.take_along_axis(away, rows, 1), order[rows]) if return_distance else order[rows]

    twin = copy.copy(search)
    twin.kneighbors = kneighbors
    twin._fit_method = "kd_tree"  # brute force would not call `kneighbors`
    return twin


def measured(x: Any, points: Any, metric: Metric) -> Any:
    """Computes distances as the graph does."""
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
