"""Density of the training data around a row: kernel densities, robust ellipses, local outlier factors."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._neighbors import distances as distances
from ._neighbors.distances import named
from ._neighbors.nearest import equals_of, like_fitted, nearest

PROBED = 200
"""Maximum number of training rows that are checked for lost digits."""
FAR = 1e6
"""A number that is large compared with the others of a row."""


def kernel_density(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the logarithm of the density."""
    import numpy as np

    if fitted.rtol > 1e-8 or fitted.atol > 0:
        raise Unsupported(
            f"KernelDensity(atol={fitted.atol}, rtol={fitted.rtol}) stops at an approximation that depends on its "
            "search tree: set both to 0 and fit again"
        )
    points = np.asarray(fitted.tree_.data, np.float64)
    _refuse_lost_digits(fitted, points)
    settings = {k: v for k, v in (fitted.metric_params or {}).items() if v is not None}
    away = distances.distances(graph, graph.matrix(frame).name, points, named("KernelDensity", fitted.metric, settings))
    kernel = _log_kernel(graph, away, float(fitted.bandwidth_), fitted.kernel)
    weights = fitted.tree_.sample_weight
    total = float(len(points)) if weights is None else float(fitted.tree_.sum_weight)
    if weights is not None:
        with np.errstate(divide="ignore"):
            kernel = graph.op("Add", kernel, graph.const(np.log(np.asarray(weights))[None]))
    norm = _log_norm(float(fitted.bandwidth_), points.shape[1], fitted.kernel) - np.log(total)
    return Answer(density=graph.op("Add", scores.flat(graph, scores.log_sum(graph, kernel)), graph.const(float(norm))))


def _refuse_lost_digits(fitted: Any, points: Any) -> None:
    """Raises `Unsupported` where the original's bounds on sums over its tree lose digits of the sums.

    Compares it with the same estimator with all rows in one leaf, which adds them one by one.
    """
    import copy

    import numpy as np

    chosen = points[np.linspace(0, len(points) - 1, min(PROBED, len(points))).astype(np.int64)]
    mixed = np.column_stack([np.roll(column, i + 1) for i, column in enumerate(chosen.T)])
    far = np.resize(chosen, (10 * points.shape[1], points.shape[1]))
    far[np.arange(len(far)), np.arange(len(far)) // 2 % points.shape[1]] = np.where(np.arange(len(far)) % 2, -FAR, FAR)
    exact = copy.copy(fitted)
    weights = fitted.tree_.sample_weight
    exact.set_params(leaf_size=len(points) + 1, bandwidth=float(fitted.bandwidth_))
    exact.__dict__.pop("feature_names_in_", None)
    exact.fit(points, sample_weight=None if weights is None else np.asarray(weights))
    rows = np.vstack([chosen, mixed, far])
    want = fitted.score_samples(like_fitted(fitted, rows))
    lost = ~np.isclose(want, exact.score_samples(rows), rtol=1e-9, atol=1e-10)
    if lost.any():
        raise Unsupported(
            f"the KernelDensity loses digits in the bounds of its search tree: {lost.sum()} of {len(rows)} rows near "
            "and far from the training rows get another density when all are summed one by one, and no graph repeats "
            f"that rounding; fit with leaf_size={len(points) + 1} (all rows in one leaf), which is exact"
        )


def _log_kernel(graph: GraphBuilder, away: str, width: float, kind: str) -> str:
    """Returns the kernel's logarithm without its norm, `[N, M]`; minus infinity beyond the width of a finite kernel."""
    wide, square = graph.const([[width]]), graph.const([[width * width]])
    if kind == "gaussian":
        minus_half = graph.op("Mul", graph.const([[-0.5]]), graph.op("Mul", away, away))
        return graph.op("Div", minus_half, square)
    if kind == "exponential":
        return graph.op("Div", graph.op("Neg", away), wide)
    inside = graph.op("Less", away, wide)
    kept = graph.op("Where", inside, away, graph.const(0.0))
    one = graph.const([[1.0]])
    if kind == "epanechnikov":
        value = graph.op("Sub", one, graph.op("Div", graph.op("Mul", kept, kept), square))
    elif kind == "linear":
        value = graph.op("Sub", one, graph.op("Div", kept, wide))
    elif kind == "cosine":
        angle = graph.op("Div", graph.op("Mul", graph.const([[1.5707963267948966]]), kept), wide)
        # the cosine as the sine of the complement: ONNX Runtime 1.28 has no cosine of doubles
        left = graph.op("Sub", graph.const([[1.5707963267948966]]), angle)
        value = graph.op("Sin", graph.op("Add", left, graph.const([[6.123233995736766e-17]])))
    else:
        return graph.op("Where", inside, graph.const(0.0), graph.const(float("-inf")))
    return graph.op("Where", inside, graph.op("Log", value), graph.const(float("-inf")))


def _log_norm(width: float, columns: int, kind: str) -> float:
    """Returns the logarithm of the factor that makes the kernel's integral 1."""
    from sklearn.neighbors._kd_tree import kernel_norm

    return float(kernel_norm(width, columns, kind, return_log=True))


def envelope(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns minus the squared Mahalanobis distance, minus the offset; 1 from 0 upwards, else -1."""
    import numpy as np

    centre = np.asarray(fitted.location_, np.float64)[None]
    moved = graph.op("Sub", graph.matrix(frame).name, graph.const(centre))
    turned = scores.gemm(graph, moved, np.asarray(fitted.get_precision(), np.float64).T, 0.0)
    away = graph.op("ReduceSum", graph.op("Mul", turned, moved), graph.const([1], "int64"), keepdims=0)
    return _judged(graph, graph.op("Neg", away), fitted.offset_)


def _judged(graph: GraphBuilder, score: str, offset: Any) -> Answer:
    """Returns the score minus the offset, `[N]`, and the resulting label."""
    decision = graph.op("Sub", score, graph.const([float(offset)]))
    inside = graph.op("GreaterOrEqual", decision, graph.const(0.0))
    label = graph.op("Where", inside, graph.const(1, "int64"), graph.const(-1, "int64"))
    return Answer(label=label, decision=decision)


def outlier_factor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Compares the density around the row with the density around its neighbours."""
    import numpy as np

    if not fitted.novelty:
        raise Unsupported("LocalOutlierFactor(novelty=False) only scores its training rows: fit with novelty=True")
    count = int(fitted.n_neighbors_)
    equals = equals_of(fitted, count, lambda model, x: model.score_samples(x))
    away, rows = nearest(graph, graph.matrix(frame).name, fitted, count, equals)
    row = graph.const([1], "int64")
    reach = np.asarray(fitted._distances_fit_X_, np.float64)[:, count - 1]
    reached = graph.op("Max", away, graph.op("Gather", graph.const(reach), rows))
    mean = graph.op("ReduceMean", reached, row, keepdims=1)
    own = graph.op("Div", graph.const([[1.0]]), graph.op("Add", mean, graph.const([[1e-10]])))
    theirs = graph.op("Gather", graph.const(np.asarray(fitted._lrd, np.float64)), rows)
    ratio = graph.op("ReduceMean", graph.op("Div", theirs, own), row, keepdims=0)
    return _judged(graph, graph.op("Neg", ratio), fitted.offset_)


STEPS = {
    "KernelDensity": Step(kernel_density),
    "EllipticEnvelope": Step(envelope),
    "LocalOutlierFactor": Step(outlier_factor),
}
