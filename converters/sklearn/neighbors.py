"""Nearest neighbours, neighbours within a radius, nearest centroids, by direct differences in the graph's own type."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _multioutput as targets
from . import _scores as scores
from ._neighbors import distances as distances
from ._neighbors.distances import Metric, metric_of
from ._neighbors.nearest import Ask, any_of, equals_of, inverse, nearest, points_of
from ._neighbors.radius import refuse_rounding


def _nearest(fitted: Any, frame: Frame, graph: GraphBuilder, ask: Ask, count: int) -> tuple[str, str]:
    """Returns the distances and the training rows of the nearest neighbours, both `[N, K]`, the nearest first."""
    metric_of(fitted)
    return nearest(graph, graph.matrix(frame).name, fitted, count, equals_of(fitted, count, ask))


def _by_distance(fitted: Any) -> bool:
    """Returns whether nearer neighbours have larger weights."""
    if fitted.weights not in (None, "uniform", "distance"):
        raise Unsupported(f"{type(fitted).__name__} weights neighbours by a custom function, which has no converter")
    return bool(fitted.weights == "distance")


def _summed(table: Any, rows: str, weights: str | None, graph: GraphBuilder) -> str:
    """Returns, for each row, the weighted sum over neighbours of their lines in `table`, `[N, T]`."""
    lines = graph.op("Gather", graph.const(table), rows, axis=0)
    if weights is not None:
        lines = graph.op("Mul", lines, graph.op("Unsqueeze", weights, graph.const([2], "int64")))
    return graph.op("ReduceSum", lines, graph.const([1], "int64"), keepdims=0)


def _total(values: str, graph: GraphBuilder) -> str:
    return graph.op("ReduceSum", values, graph.const([1], "int64"), keepdims=1)


def _ballots(fitted: Any) -> Any:
    """Returns, for each training row, 1 in the column of its class; the columns of several targets are concatenated."""
    import numpy as np

    if not fitted.outputs_2d_:
        return np.eye(len(fitted.classes_))[fitted._y]
    return np.hstack([np.eye(len(known))[own] for known, own in zip(fitted.classes_, fitted._y.T)])


def _targets(fitted: Any) -> Any:
    import numpy as np

    return np.asarray(fitted._y, np.float64).reshape(len(fitted._y), -1)


def classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the class with the most (or the nearest) neighbours, the first among equals."""
    table, by_distance = _ballots(fitted), _by_distance(fitted)
    away, rows = _nearest(fitted, frame, graph, _shares_of_classes, fitted.n_neighbors)
    votes = _summed(table, rows, inverse(away, graph) if by_distance else None, graph)
    if fitted.outputs_2d_:
        sizes = [len(known) for known in fitted.classes_]
        parts = graph.ops("Split", [votes, graph.const(sizes, "int64")], len(sizes), axis=1)
        found = [graph.op("Div", part, _total(part, graph)) for part in parts]
        return targets.several(graph, fitted.classes_, [scores.argmax(graph, part) for part in parts], found)
    return Answer(index=scores.argmax(graph, votes), probabilities=graph.op("Div", votes, _total(votes, graph)))


def _shares_of_classes(model: Any, x: Any) -> Any:
    import numpy as np

    found = model.predict_proba(x)
    return np.hstack(found) if isinstance(found, list) else found


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Averages the neighbours' targets."""
    by_distance = _by_distance(fitted)
    away, rows = _nearest(fitted, frame, graph, lambda model, x: model.predict(x), fitted.n_neighbors)
    weights = inverse(away, graph) if by_distance else None
    found = _summed(_targets(fitted), rows, weights, graph)
    share = graph.const(float(fitted.n_neighbors)) if weights is None else _total(weights, graph)
    value = graph.op("Div", found, share)
    return Answer(prediction=scores.flat(graph, value) if fitted._y.ndim == 1 else value)


def transformer(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns a column per training row: the distance to a near one (or 1), 0 for all others."""
    apart = fitted.mode == "distance"
    count = fitted.n_neighbors + int(apart)
    away, rows = _nearest(fitted, frame, graph, lambda model, x: model.transform(x), count)
    width = len(points_of(fitted))
    batch = graph.op("Shape", rows, start=0, end=1)
    nothing = graph.op("Expand", graph.const(0.0), graph.op("Concat", batch, graph.const([width], "int64"), axis=0))
    cells = away if apart else graph.op("Expand", graph.const(1.0), graph.op("Shape", rows))
    name = graph.op("ScatterElements", nothing, rows, cells, axis=1)
    return Answer(transformed=(Value(name, graph.real, width),))


def _within(fitted: Any, frame: Frame, graph: GraphBuilder, ask: Ask) -> tuple[str, str]:
    """Returns which training rows are within the radius, and all distances, both `[N, M]`."""
    metric = metric_of(fitted)
    refuse_rounding(fitted, ask)
    rank = distances.ranks(graph, graph.matrix(frame).name, points_of(fitted), metric)
    near = graph.op("LessOrEqual", rank, graph.const(distances.rank_of(float(fitted.radius), metric)))
    return near, distances.finished(graph, rank, metric)


def _weights_within(fitted: Any, frame: Frame, graph: GraphBuilder, ask: Ask) -> tuple[str, str]:
    """Returns the weights of all training rows, `[N, M]`, and which rows have no neighbour, `bool [N, 1]`."""
    by_distance = _by_distance(fitted)
    near, away = _within(fitted, frame, graph, ask)
    flags = scores.as_real(graph, near)
    alone = graph.op("Not", any_of(flags, graph))
    if not by_distance:
        return flags, alone
    touching = graph.op("And", near, graph.op("Equal", away, graph.const(0.0)))
    touching = scores.as_real(graph, touching)
    weights = graph.op("Where", near, graph.op("Div", graph.const(1.0), away), graph.const(0.0))
    return graph.op("Where", any_of(touching, graph), touching, weights), alone


def radius_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the class with the most (or the nearest) neighbours; the label of outliers where there is none."""
    import numpy as np

    if fitted.outputs_2d_:
        raise Unsupported("RadiusNeighborsClassifier has several targets: fit one classifier per target")
    table = _ballots(fitted)
    if fitted.outlier_label_ is None:
        raise Unsupported(
            "RadiusNeighborsClassifier raises for a row without neighbours, which no constraint can express: "
            'set outlier_label (a class, or "most_frequent") and fit again'
        )
    weights, alone = _weights_within(fitted, frame, graph, _shares_of_classes)
    votes = graph.op("Gemm", weights, graph.const(table))
    given = _outlier_probabilities(fitted, frame)
    total = graph.op("Where", alone, graph.const(1.0), _total(votes, graph))
    probabilities = graph.op("Where", alone, graph.const(given[None]), graph.op("Div", votes, total))
    best, lost = scores.argmax(graph, votes), scores.flat(graph, alone)
    place = np.flatnonzero(fitted.classes_ == fitted.outlier_label_[0])
    if given.any() or len(place) == 1:
        own = int(given.argmax() if given.any() else place[0])
        return Answer(index=graph.op("Where", lost, graph.const(own, "int64"), best), probabilities=probabilities)
    known = np.append(fitted.classes_, fitted.outlier_label_[0])
    names = graph.const(known if known.dtype.kind in "OU" else known.astype(_label_type(known)))
    row = graph.op("Where", lost, graph.const(len(known) - 1, "int64"), best)
    return Answer(label=graph.op("Gather", names, row), probabilities=probabilities)


def _label_type(known: Any) -> str:
    return {"b": "bool", "f": "float64"}.get(known.dtype.kind, "int64")


def _outlier_probabilities(fitted: Any, frame: Frame) -> Any:
    """Returns the original's probabilities for a row without neighbours, `[C]`.

    Its fast path (brute force, a matrix of numbers) interprets the label as a position among the classes.
    """
    import numpy as np
    from sklearn.metrics._pairwise_distances_reduction import RadiusNeighborsClassMode

    given, count = np.zeros(len(fitted.classes_)), len(fitted.classes_)
    matrix = not hasattr(fitted, "feature_names_in_") and frame[0].dtype in ("float32", "float64")
    like = np.zeros((1, fitted.n_features_in_)) if matrix else None
    metric = fitted.effective_metric_
    quick = fitted.weights == "uniform" and fitted._fit_method == "brute"
    if quick and like is not None and RadiusNeighborsClassMode.is_usable_for(like, fitted._fit_X, metric):
        places = [i for i in range(count) if i == fitted.outlier_label]
    else:
        places = np.flatnonzero(fitted.classes_ == fitted.outlier_label_[0]).tolist()
    if len(places) == 1:
        given[places[0]] = 1.0
    return given


def radius_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Averages the neighbours' targets; numpy's conversion of NaN to the targets' type where there are none."""
    import numpy as np

    weights, alone = _weights_within(fitted, frame, graph, lambda model, x: model.predict(x))
    total = graph.op("Where", alone, graph.const(1.0), _total(weights, graph))
    value = graph.op("Div", graph.op("Gemm", weights, graph.const(_targets(fitted))), total)
    with np.errstate(invalid="ignore"):
        nothing = float(np.full_like(np.ravel(fitted._y)[:1], np.nan)[0])
    value = graph.op("Where", alone, graph.const(nothing), value)
    return Answer(prediction=scores.flat(graph, value) if fitted._y.ndim == 1 else value)


def radius_transformer(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns a column per training row: the distance to one within the radius (or 1), 0 for all others."""
    near, away = _within(fitted, frame, graph, lambda model, x: model.transform(x))
    flags = scores.as_real(graph, near)
    name = graph.op("Where", near, away, graph.const(0.0)) if fitted.mode == "distance" else flags
    return Answer(transformed=(Value(name, graph.real, len(points_of(fitted))),))


def centroid(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the nearest centroid; with unequal priors, the largest discriminant score."""
    import numpy as np

    if fitted.metric not in ("euclidean", "manhattan"):
        raise Unsupported(f"NearestCentroid(metric={fitted.metric!r}) has no converter")
    x = graph.matrix(frame).name
    away = distances.ranks(graph, x, np.asarray(fitted.centroids_, float), Metric(fitted.metric))
    closest = graph.op("ArgMin", away, axis=1, keepdims=0)
    if not hasattr(fitted, "class_prior_"):
        return Answer(index=closest)
    score = _discriminant(fitted, x, graph)
    uniform = np.isclose(fitted.class_prior_, 1 / len(fitted.classes_)).all()
    decision = score
    if len(fitted.classes_) == 2:
        decision = scores.flat(graph, graph.op("Sub", scores.pick(graph, score, 1), scores.pick(graph, score, 0)))
    proba = scores.exp_normalised(graph, score) if hasattr(fitted, "predict_proba") else None
    index = closest if uniform else scores.argmax(graph, score)
    return Answer(index=index, probabilities=proba, decision=decision)


def _discriminant(fitted: Any, x: str, graph: GraphBuilder) -> str:
    """Returns minus the squared distance in units of the within-class spread, plus twice the logarithm of the prior."""
    import numpy as np

    spread = np.where(fitted.within_class_std_dev_ != 0, fitted.within_class_std_dev_, 1.0)
    scaled = graph.op("Div", x, graph.const(spread))
    away = distances.ranks(graph, scaled, np.asarray(fitted.centroids_ / spread), Metric(fitted.metric))
    square = away if fitted.metric == "euclidean" else graph.op("Mul", away, away)
    return graph.op("Sub", graph.const(2.0 * np.log(fitted.class_prior_)), square)


def components(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the rows in the space of the learned metric."""
    name = scores.gemm(graph, graph.matrix(frame).name, fitted.components_.T, 0.0)
    return Answer(transformed=(Value(name, graph.real, len(fitted.components_)),))


STEPS = {
    "KNeighborsClassifier": Step(classifier),
    "KNeighborsRegressor": Step(regressor),
    "KNeighborsTransformer": Step(transformer),
    "RadiusNeighborsClassifier": Step(radius_classifier),
    "RadiusNeighborsRegressor": Step(radius_regressor),
    "RadiusNeighborsTransformer": Step(radius_transformer),
    "NearestCentroid": Step(centroid),
    "NeighborhoodComponentsAnalysis": Step(components),
}
