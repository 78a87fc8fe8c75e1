"""Support vector machines with kernels, in core operators, so that they compute in double too."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._graph.pairwise_coupling import coupled
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._neighbors import distances as distances

LOST = 1e-11
"""Largest error of a kernel sum that is accepted for the fast form of distances."""


def _dense(matrix: Any) -> Any:
    import numpy as np

    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, np.float64)


def _values(fitted: Any, frame: Frame, graph: GraphBuilder, weights: Any) -> str:
    """Returns `kernel(X, support vectors) @ weights + intercept`, for weights `[S, P]`."""
    x = graph.matrix(frame).name
    if fitted.kernel == "linear":
        return scores.gemm(graph, x, _dense(fitted.support_vectors_).T @ weights, fitted._intercept_)
    kernel = _kernel(fitted, x, graph, weights)
    return scores.gemm(graph, kernel, weights, fitted._intercept_)


def _kernel(fitted: Any, x: str, graph: GraphBuilder, weights: Any) -> str:
    points, gamma = _dense(fitted.support_vectors_), float(fitted._gamma)
    if fitted.kernel == "rbf":
        return _bells(graph, x, points, gamma, weights)
    if fitted.kernel == "precomputed":
        return graph.op("Gather", x, graph.const(fitted.support_, "int64"), axis=1)
    if fitted.kernel not in ("poly", "sigmoid"):
        raise Unsupported(f"{type(fitted).__name__} has a custom kernel; supported: the named kernels")
    return _of_products(graph, fitted.kernel, x, points, gamma, float(fitted.coef0), float(fitted.degree))


def _of_products(graph: GraphBuilder, kind: str, x: str, points: Any, gamma: float, moved: float, degree: float) -> str:
    """Returns `tanh(gamma x y + moved)`, or that sum to a power."""
    value = scores.gemm(graph, x, points.T * gamma, moved)
    return graph.op("Tanh", value) if kind == "sigmoid" else graph.op("Pow", value, graph.const(degree))


def _bells(graph: GraphBuilder, x: str, points: Any, gamma: float, weights: Any) -> str:
    """Returns `exp(-gamma |x - y|²)`; by the fast form of distances where its rounding is invisible in the sum."""
    import numpy as np

    reach = np.square(points - points.mean(axis=0)).sum(axis=1).max(initial=0.0)
    weight = max(1.0, float(np.abs(weights).sum(axis=0).max(initial=0.0)))
    error = 8 * np.finfo(np.float64).eps * gamma * reach * weight
    quick = error < LOST or graph.real == "float32"
    if quick:
        most = 1e15 if graph.real == "float32" else 1e100  # its square is finite, and the kernel is 0 from there on
        near = graph.op("Clip", x, graph.const(-most), graph.const(most))
        far = distances.squared_by_product(graph, near, points)
    else:
        far = distances.between(graph, x, points, "sqeuclidean")
    return graph.op("Exp", graph.op("Mul", far, graph.const(-gamma)))


def _pairwise(fitted: Any) -> Any:
    """Returns the weight of each support vector in each one-vs-one decision, `[S, P]`."""
    import numpy as np

    dual = _dense(fitted._dual_coef_)
    ends = np.concatenate([[0], np.cumsum(fitted._n_support)])
    pairs = np.transpose(np.triu_indices(len(fitted._n_support), 1))
    weights = np.zeros((dual.shape[1], len(pairs)))
    for p, (i, j) in enumerate(pairs):
        first, second = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        weights[first, p] = dual[j - 1, first]
        weights[second, p] = dual[i, second]
    return weights


def classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """SVC and NuSVC: votes of one-vs-one decisions."""
    count = len(fitted.classes_)
    raw = _values(fitted, frame, graph, _pairwise(fitted))
    proba = _probabilities(fitted, raw, count, graph)
    first_wins = graph.op("Greater", raw, graph.const(0.0))
    if count == 2:
        index = scores.flat(graph, scores.at_least(graph, graph.op("Neg", raw), 0))
        return Answer(index=index, decision=scores.flat(graph, graph.op("Neg", raw)), probabilities=proba)
    decision = raw
    if fitted.decision_function_shape == "ovr":
        not_second = graph.op("Not", graph.op("Less", raw, graph.const(0.0)))
        decision = scores.one_vs_rest(graph, not_second, raw, count)
    broken = fitted.break_ties and fitted.decision_function_shape == "ovr"
    index = scores.argmax(graph, decision if broken else scores.votes(graph, first_wins, count))
    return Answer(index=index, decision=decision, probabilities=proba)


def _probabilities(fitted: Any, raw: str, count: int, graph: GraphBuilder) -> str | None:
    if not hasattr(fitted, "predict_proba"):
        return None
    if graph.real == "float32":
        raise Unsupported("the probabilities of a support vector machine need float64 for their iterations")
    slope, offset = (graph.const(_dense(side)) for side in (fitted._probA, fitted._probB))
    fit = graph.op("Add", graph.op("Mul", raw, slope), offset)
    pair = graph.op("Clip", scores.inverse_logit_of_negative(graph, fit), graph.const(1e-7), graph.const(1 - 1e-7))
    return coupled(graph, pair, count)


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """SVR and NuSVR: one weighted sum of kernels."""
    return Answer(prediction=scores.flat(graph, _values(fitted, frame, graph, _dense(fitted._dual_coef_).T)))


def one_class(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """OneClassSVM: 1 for inliers (a decision above 0), -1 for outliers."""
    decision = scores.flat(graph, _values(fitted, frame, graph, _dense(fitted._dual_coef_).T))
    inside = graph.op("Greater", decision, graph.const(0.0))
    label = graph.op("Where", inside, graph.const(1, "int64"), graph.const(-1, "int64"))
    return Answer(label=label, decision=decision)


STEPS = {
    "SVC": Step(classifier),
    "NuSVC": Step(classifier),
    "SVR": Step(regressor),
    "NuSVR": Step(regressor),
    "OneClassSVM": Step(one_class),
}
