"""Gaussian mixtures: the density of each row under each component, rounded as in the original.

For rows of integers the original truncates the squared lengths to integers (or squares the cells as integers, with
64-bit overflow). So do these graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _kernels as kernels
from . import _scores as scores


def gaussian(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """GaussianMixture: the most likely component, and the probability of each."""
    return _answer(fitted, frame, graph, [])


def bayesian(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """BayesianGaussianMixture: as `gaussian`, with the expected precisions of each component."""
    import numpy as np
    from scipy.special import digamma

    width = fitted.means_.shape[1]
    freedom = np.broadcast_to(fitted.degrees_of_freedom_, (len(fitted.means_),))
    expected = width * np.log(2.0) + digamma(0.5 * (freedom - np.arange(width)[:, None])).sum(axis=0)
    terms = [-0.5 * width * np.log(freedom), 0.5 * (expected - width / fitted.mean_precision_)]
    return _answer(fitted, frame, graph, terms)


def _answer(fitted: Any, frame: Frame, graph: GraphBuilder, terms: list[Any]) -> Answer:
    """Returns the outputs; `terms`: added to the log density of each component before its weight."""
    import numpy as np

    square = _SQUARES[fitted.covariance_type](fitted, frame, graph)
    value = graph.op("Add", square, graph.const([[fitted.means_.shape[1] * np.log(2 * np.pi)]]))
    value = graph.op("Mul", value, graph.const([[-0.5]]))
    for term in (_log_determinant(fitted), *terms, fitted._estimate_log_weights()):
        value = graph.op("Add", value, _row(np.broadcast_to(term, (len(fitted.means_),)), graph))
    return Answer(label=scores.argmax(graph, value), probabilities=scores.exp_normalised(graph, value))


def _log_determinant(fitted: Any) -> Any:
    """Returns the log determinants of the precisions' Cholesky factors, `[K]`, or one number for all."""
    import numpy as np

    factor, kind = fitted.precisions_cholesky_, fitted.covariance_type
    if kind in ("full", "tied"):
        factor = np.diagonal(factor, axis1=-2, axis2=-1)
    logarithm = np.log(factor)
    return fitted.means_.shape[1] * logarithm if kind == "spherical" else logarithm.sum(axis=-1)


def _by_factors(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """Returns squared lengths of `x @ factor - mean @ factor`, `[N, K]`: one factor per component, or one for all."""
    import numpy as np

    x, (count, width) = graph.matrix(frame).name, fitted.means_.shape
    factors = np.broadcast_to(fitted.precisions_cholesky_, (count, width, width))
    means = np.stack([mean @ factor for mean, factor in zip(fitted.means_, factors)])
    if fitted.covariance_type == "tied":
        turned = scores.gemm(graph, x, factors[0], 0.0)
        turned = graph.op("Unsqueeze", turned, graph.const([1], "int64"))
    else:
        turned = scores.gemm(graph, x, np.concatenate(list(factors), axis=1), 0.0)
        turned = graph.op("Reshape", turned, graph.const([-1, count, width], "int64"))
    apart = graph.op("Sub", turned, graph.const(means[None]))
    square = graph.op("ReduceSumSquare", apart, graph.const([2], "int64"), keepdims=0)
    return _cut(square, graph) if kernels.integers(frame) else square


def _cut(value: str, graph: GraphBuilder) -> str:
    """Returns the value as a 64-bit integer: truncated, and the smallest integer where it is too large."""
    if graph.real == "float32":
        raise Unsupported("a mixture truncates squared lengths of integers to integers, which needs float64")
    beyond = graph.op("GreaterOrEqual", value, graph.const(2.0**63))
    return graph.op("Where", beyond, graph.const(-(2.0**63)), graph.op("Floor", value))


def _diagonal(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """Returns the expanded square, as in the original."""
    import numpy as np

    means, precisions = fitted.means_, fitted.precisions_cholesky_**2
    crossed = scores.gemm(graph, graph.matrix(frame).name, -2.0 * (means * precisions).T, 0.0)
    near = graph.op("Add", crossed, _row(np.sum(means**2 * precisions, axis=1), graph))
    x = graph.matrix(frame, "int64" if kernels.integers(frame) else "")
    square = graph.cast(replace(x, name=graph.op("Mul", x.name, x.name)), graph.real)
    return graph.op("Add", near, scores.gemm(graph, square.name, precisions.T, 0.0))


def _spherical(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    import numpy as np

    precisions = fitted.precisions_cholesky_**2
    x = graph.matrix(frame).name
    crossed = graph.op("Mul", scores.gemm(graph, x, -2.0 * fitted.means_.T, 0.0), _row(precisions, graph))
    near = graph.op("Add", crossed, _row(np.sum(fitted.means_**2, axis=1) * precisions, graph))
    return graph.op("Add", near, graph.op("Mul", kernels.lengths(graph, frame), _row(precisions, graph)))


def _row(values: Any, graph: GraphBuilder) -> str:
    import numpy as np

    return graph.const(np.asarray(values, np.float64).reshape(1, -1))


_SQUARES: dict[str, Callable[[Any, Frame, GraphBuilder], str]] = {
    "full": _by_factors,
    "tied": _by_factors,
    "diag": _diagonal,
    "spherical": _spherical,
}

STEPS = {"GaussianMixture": Step(gaussian), "BayesianGaussianMixture": Step(bayesian)}
