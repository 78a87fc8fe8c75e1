"""Nearest neighbours and nearest centroids, by direct differences in the graph's own type.

Among points at exactly the same distance the first in the order of the training rows is taken; the original's order
depends on its tree and its threads, so rows on such ties may differ.
"""

from __future__ import annotations

from typing import Any

from .._graph import Frame, GraphBuilder
from .._steps import Answer, Step
from ..spec import Unsupported
from . import _distances as distances
from . import _scores as scores

SMALL = 4096
"""Cells of training data up to which every distance is computed directly."""
SPARE = 16
"""Candidates beyond the neighbours that are measured exactly."""
OUTLYING = 1e6
"""Largest ratio of squared reaches at which the quick choice of candidates is safe."""

_METRICS = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "sqeuclidean": "sqeuclidean",
    "manhattan": "manhattan",
    "cityblock": "manhattan",
    "l1": "manhattan",
    "chebyshev": "chebyshev",
}


def _metric(fitted: Any) -> str:
    settings = {k: v for k, v in (fitted.effective_metric_params_ or {}).items() if v is not None}
    if callable(fitted.effective_metric_) or fitted.effective_metric_ not in _METRICS or set(settings) - {"p"}:
        name, kind = fitted.effective_metric_, type(fitted).__name__
        raise Unsupported(f"{kind} has the metric {name!r} with {settings}: there is no converter for it")
    return _METRICS[fitted.effective_metric_]


def _points(fitted: Any) -> Any:
    import numpy as np

    data = fitted._fit_X
    return np.asarray(data.toarray() if hasattr(data, "toarray") else data, np.float64)


def _nearest(fitted: Any, frame: Frame, graph: GraphBuilder) -> tuple[str, str]:
    """The distances and the training rows of the nearest neighbours, both `[N, K]`, the nearest first."""
    x, points, metric = graph.matrix(frame).name, _points(fitted), _metric(fitted)
    if metric in ("euclidean", "sqeuclidean") and _many(points, fitted.n_neighbors):
        square, rows = _by_candidates(graph, x, points, fitted.n_neighbors)
    else:
        square, rows = _smallest(graph, _all(graph, x, points, metric), fitted.n_neighbors)
    return (graph.op("Sqrt", square) if metric == "euclidean" else square), rows


def _all(graph: GraphBuilder, x: str, points: Any, metric: str) -> str:
    """Every distance; squares for `euclidean`."""
    return distances.between(graph, x, points, "sqeuclidean" if metric == "euclidean" else metric)


def _smallest(graph: GraphBuilder, values: str, count: int) -> tuple[str, str]:
    found = graph.ops("TopK", [values, graph.const([count], "int64")], 2, axis=1, largest=0, sorted=1)
    return found[0], found[1]


def _many(points: Any, count: int) -> bool:
    """Whether choosing candidates first saves work, and is safe: no row lies absurdly far from the others."""
    import numpy as np

    if points.size <= SMALL or len(points) <= 2 * (count + SPARE):
        return False
    reach = np.square(points - points.mean(axis=0)).sum(axis=1)
    return bool(reach.max() <= OUTLYING * np.median(reach))


def _by_candidates(graph: GraphBuilder, x: str, points: Any, count: int) -> tuple[str, str]:
    """A matrix product chooses candidates; their distances are then measured directly."""
    rough = distances.nearness(graph, x, points)
    chosen = _smallest(graph, rough, count + SPARE)[1]
    limit = graph.const([count + SPARE], "int64")
    in_order = graph.ops("TopK", [chosen, limit], 2, axis=1, largest=0, sorted=1)[0]
    near = graph.op("Gather", graph.const(points), in_order, axis=0)
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), near)
    exact = graph.op("ReduceSumSquare", apart, graph.const([2], "int64"), keepdims=0)
    square, positions = _smallest(graph, exact, count)
    return square, graph.op("GatherElements", in_order, positions, axis=1)


def _weights(fitted: Any, away: str, graph: GraphBuilder) -> str | None:
    """Inverse distances, `[N, K]`; where one is 0, the points at 0 count alone. None: all alike."""
    if fitted.weights in (None, "uniform"):
        return None
    if fitted.weights != "distance":
        raise Unsupported(f"{type(fitted).__name__} weighs neighbours by a function of its own")
    inverse = graph.op("Div", graph.const(1.0), away)
    endless = scores.as_real(graph, graph.op("IsInf", inverse))
    any_endless = graph.op("ReduceMax", endless, graph.const([1], "int64"), keepdims=1)
    return graph.op("Where", graph.op("Greater", any_endless, graph.const(0.0)), endless, inverse)


def _summed(table: Any, rows: str, weights: str | None, graph: GraphBuilder) -> str:
    """For each row, the weighted sum over neighbours of their lines in `table`, `[N, T]`."""
    lines = graph.op("Gather", graph.const(table), rows, axis=0)
    if weights is not None:
        lines = graph.op("Mul", lines, graph.op("Unsqueeze", weights, graph.const([2], "int64")))
    return graph.op("ReduceSum", lines, graph.const([1], "int64"), keepdims=0)


def classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The class with the most (or the nearest) neighbours, the first of equals."""
    import numpy as np

    if fitted.outputs_2d_:
        raise Unsupported("KNeighborsClassifier has several targets: fit one classifier per target")
    away, rows = _nearest(fitted, frame, graph)
    table = np.eye(len(fitted.classes_))[fitted._y]
    ballots = _summed(table, rows, _weights(fitted, away, graph), graph)
    total = graph.op("ReduceSum", ballots, graph.const([1], "int64"), keepdims=1)
    return Answer(index=scores.argmax(graph, ballots), probabilities=graph.op("Div", ballots, total))


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The average of the neighbours' targets."""
    import numpy as np

    away, rows = _nearest(fitted, frame, graph)
    table = np.asarray(fitted._y, np.float64).reshape(len(fitted._y), -1)
    weights = _weights(fitted, away, graph)
    found = _summed(table, rows, weights, graph)
    if weights is None:
        value = graph.op("Div", found, graph.const(float(fitted.n_neighbors)))
    else:
        value = graph.op("Div", found, graph.op("ReduceSum", weights, graph.const([1], "int64"), keepdims=1))
    return Answer(prediction=scores.flat(graph, value) if fitted._y.ndim == 1 else value)


def centroid(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The nearest centroid; with unequal priors, the largest discriminant score."""
    import numpy as np

    if fitted.metric not in ("euclidean", "manhattan"):
        raise Unsupported(f"NearestCentroid(metric={fitted.metric!r}) has no converter")
    x = graph.matrix(frame).name
    away = _all(graph, x, np.asarray(fitted.centroids_, float), fitted.metric)
    nearest = graph.op("ArgMin", away, axis=1, keepdims=0)
    if not hasattr(fitted, "class_prior_"):
        return Answer(index=nearest)
    score = _discriminant(fitted, x, graph)
    uniform = np.isclose(fitted.class_prior_, 1 / len(fitted.classes_)).all()
    decision = score
    if len(fitted.classes_) == 2:
        decision = scores.flat(graph, graph.op("Sub", scores.pick(graph, score, 1), scores.pick(graph, score, 0)))
    proba = scores.exp_normalised(graph, score) if hasattr(fitted, "predict_proba") else None
    index = nearest if uniform else scores.argmax(graph, score)
    return Answer(index=index, probabilities=proba, decision=decision)


def _discriminant(fitted: Any, x: str, graph: GraphBuilder) -> str:
    """Minus the squared distance in units of the spread within classes, and twice the logarithm of the prior."""
    import numpy as np

    spread = np.where(fitted.within_class_std_dev_ != 0, fitted.within_class_std_dev_, 1.0)
    scaled = graph.op("Div", x, graph.const(spread))
    away = _all(graph, scaled, fitted.centroids_ / spread, fitted.metric)
    square = away if fitted.metric == "euclidean" else graph.op("Mul", away, away)
    return graph.op("Sub", graph.const(2.0 * np.log(fitted.class_prior_)), square)


STEPS = {
    "KNeighborsClassifier": Step(classifier),
    "KNeighborsRegressor": Step(regressor),
    "NearestCentroid": Step(centroid),
}
