"""Gaussian processes: weighted kernels between each row and the training rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._graph.erf import erf
from .._steps.step import Answer, Step, Thresholds
from ..spec import Unsupported
from . import _covariances as covariances
from . import _kernels as kernels
from . import _members as members
from . import _scores as scores

VISIBLE = 1e-6
"""Fraction of the largest target from which rounding is too large for equality."""


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the mean of the posterior, in the units of the target."""
    import numpy as np

    weights = np.asarray(fitted.alpha_, np.float64)
    weights = weights.reshape(len(weights), -1)
    _refuse_noise(fitted, weights)
    kernel = covariances.covariance(graph, graph.matrix(frame).name, _points(fitted), fitted.kernel_)
    value = scores.gemm(graph, kernel, weights, 0.0)
    value = graph.op("Mul", value, _row(fitted._y_train_std, weights.shape[1], graph))
    value = graph.op("Add", value, _row(fitted._y_train_mean, weights.shape[1], graph))
    return Answer(prediction=scores.flat(graph, value) if weights.shape[1] == 1 else value)


def _refuse_noise(fitted: Any, weights: Any) -> None:
    """Refuses a model whose weights cancel so far that its own rounding shows in the sixth digit of its predictions."""
    import numpy as np

    largest = float(np.max(fitted.kernel_.diag(fitted.X_train_)))
    noise = np.finfo(np.float64).epsneg * largest * np.linalg.norm(weights, axis=0).max()
    if noise > VISIBLE * np.abs(fitted.y_train_).max():
        raise Unsupported(
            "GaussianProcessRegressor: its kernel matrix is nearly singular, so its own predictions are uncertain by "
            f"rounding, about {noise * np.max(fitted._y_train_std):.1g}: fit it with a larger alpha or a WhiteKernel"
        )


def _row(values: Any, width: int, graph: GraphBuilder) -> str:
    import numpy as np

    return graph.const(np.broadcast_to(np.asarray(values, np.float64), (1, width)))


def _points(fitted: Any) -> Any:
    import numpy as np

    points = fitted.X_train_
    if np.ndim(points) != 2 or np.asarray(points).dtype.kind not in "fiub":
        raise Unsupported(f"{type(fitted).__name__} was fitted on objects: only rows of numbers are supported")
    return kernels.dense(points)


def binary(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Two classes by the Laplace approximation: the sign of the latent mean, and the averaged logistic curve."""
    import numpy as np

    kernel = covariances.covariance(graph, graph.matrix(frame).name, _points(fitted), fitted.kernel_)
    mean = scores.gemm(graph, kernel, (fitted.y_train_ - fitted.pi_)[:, None], 0.0)
    known = scores.gemm(graph, kernel, np.linalg.solve(fitted.L_, np.diag(fitted.W_sr_)).T, 0.0)
    known = graph.op("ReduceSumSquare", known, graph.const([1], "int64"), keepdims=1)
    variance = graph.op("Sub", covariances.variance(graph, frame, fitted.kernel_), known)
    index = scores.flat(graph, scores.above(graph, mean, 0.0))
    return Answer(index=index, probabilities=scores.with_complement(graph, _averaged(graph, mean, variance)))


def _averaged(graph: GraphBuilder, mean: str, variance: str) -> str:
    """Averages the logistic function over a normal distribution, `[N, 1]`: a sum of five error functions.

    Written as in the original: a negative variance gives NaN.
    """
    from sklearn.gaussian_process._gpc import COEFS, LAMBDAS

    spread = graph.op("Div", graph.const(1.0), graph.op("Mul", graph.const(2.0), variance))
    bent = graph.op("Sqrt", graph.op("Div", spread, graph.op("Add", spread, graph.const(LAMBDAS.T**2))))
    curves = erf(graph, graph.op("Mul", graph.op("Mul", mean, graph.const(LAMBDAS.T)), bent))
    return scores.gemm(graph, curves, COEFS / 2, 0.5 * COEFS.sum())


def _bounds(fitted: Any) -> Thresholds:
    return [[0.0] if covariances.refuses_negative(fitted.kernel) else [] for _ in range(fitted.n_features_in_)]


STEPS = {
    "GaussianProcessRegressor": Step(regressor, bounds=_bounds),
    "GaussianProcessClassifier": replace(members.delegate("base_estimator_"), bounds=_bounds),
    "_BinaryGaussianProcessClassifierLaplace": Step(binary),
}
