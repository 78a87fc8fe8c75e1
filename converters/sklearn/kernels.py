"""Kernel models on the training rows: projections, feature maps, centring, ridge regression."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step, Thresholds
from . import _covariances as covariances
from . import _kernels as kernels
from . import _scores as scores
from ._outputs import block


def kernel_pca(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Multiplies the centred kernel with the training rows by the eigenvectors over the roots of the eigenvalues."""
    import numpy as np

    kernel = _kernel(fitted, frame, graph, fitted.X_fit_, _settings(fitted, fitted.gamma_))
    values, vectors = kernels.dense(fitted.eigenvalues_), kernels.dense(fitted.eigenvectors_)
    scale = np.where(values == 0, 0.0, 1.0 / np.sqrt(np.where(values == 0, 1.0, values)))
    centred = _centred(fitted._centerer, kernel, graph)
    return block(scores.gemm(graph, centred, vectors * scale, 0.0), len(values), graph)


def centerer(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the kernel minus the mean of its row and of the training kernel's column, plus the overall mean."""
    x = graph.matrix(frame)
    return block(_centred(fitted, x.name, graph), x.width, graph)


def _centred(fitted: Any, kernel: str, graph: GraphBuilder) -> str:
    columns = kernels.dense(fitted.K_fit_rows_)[None, :]
    total = graph.op("ReduceSum", kernel, graph.const([1], "int64"), keepdims=1)
    own = graph.op("Div", total, graph.const(float(columns.size)))
    apart = graph.op("Sub", graph.op("Sub", kernel, graph.const(columns)), own)
    return graph.op("Add", apart, graph.const(float(fitted.K_fit_all_)))


def nystroem(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Multiplies the kernel of each row with the kept rows by the normalisation."""
    own = {k: v for k, v in _settings(fitted, fitted.gamma).items() if v is not None}
    kernel = _kernel(fitted, frame, graph, fitted.components_, {**(fitted.kernel_params or {}), **own})
    matrix = kernels.dense(fitted.normalization_).T
    return block(scores.gemm(graph, kernel, matrix, 0.0), matrix.shape[1], graph)


def ridge(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Kernel ridge regression: weighted kernels with the training rows."""
    dual = kernels.dense(fitted.dual_coef_)
    kernel = _kernel(fitted, frame, graph, fitted.X_fit_, _settings(fitted, fitted.gamma))
    value = scores.gemm(graph, kernel, dual.reshape(len(dual), -1), 0.0)
    return Answer(prediction=scores.flat(graph, value) if dual.ndim == 1 else value)


def _settings(fitted: Any, gamma: Any) -> dict[str, Any]:
    return {"gamma": gamma, "degree": fitted.degree, "coef0": fitted.coef0}


def _kernel(fitted: Any, frame: Frame, graph: GraphBuilder, points: Any, settings: dict[str, Any]) -> str:
    x, known, kind = graph.matrix(frame).name, kernels.dense(points), fitted.kernel
    if not isinstance(kind, str) and hasattr(kind, "theta"):
        return covariances.covariance(graph, x, known, kind)
    return kernels.named(graph, x, known, kind, settings)


def _bounds(fitted: Any) -> Thresholds:
    return [[0.0] if covariances.refuses_negative(fitted.kernel) else [] for _ in range(fitted.n_features_in_)]


STEPS = {
    "KernelPCA": Step(kernel_pca, bounds=_bounds),
    "KernelCenterer": Step(centerer),
    "Nystroem": Step(nystroem, bounds=_bounds),
    "KernelRidge": Step(ridge, bounds=_bounds),
}
