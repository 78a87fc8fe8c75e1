"""Projections and feature maps: a matrix product with few other operations.

The products are Gemm, not MatMul: ONNX Runtime fuses a MatMul and an adjacent number into one node that keeps the
number in float32, even in a float64 graph.
"""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._graph.cosine import cosine
from .._steps.step import Answer, Step
from ._outputs import block


def pca(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `(x - mean_) @ components_.T`, divided by the deviations where whitened."""
    import numpy as np

    scale = None
    if fitted.whiten:
        deviation = np.sqrt(fitted.explained_variance_)
        scale = np.maximum(deviation, np.finfo(deviation.dtype).eps)
    return _project(frame, graph, fitted.mean_, fitted.components_.T, scale)


def ica(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `(x - mean_) @ components_.T`; without whitening there is no mean."""
    return _project(frame, graph, fitted.mean_ if fitted.whiten else None, fitted.components_.T)


def factors(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the expected latent variables, with the two products folded into one."""
    import numpy as np

    weighted = fitted.components_ / fitted.noise_variance_
    covariance = np.linalg.inv(np.eye(len(fitted.components_)) + weighted @ fitted.components_.T)
    return _project(frame, graph, fitted.mean_, weighted.T @ covariance)


def projection(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `x @ components_.T`."""
    components = fitted.components_
    return _project(frame, graph, None, (components.toarray() if hasattr(components, "toarray") else components).T)


def _project(frame: Frame, graph: GraphBuilder, mean: Any, matrix: Any, scale: Any = None) -> Answer:
    name = graph.matrix(frame).name
    if mean is not None:
        name = graph.op("Sub", name, _row(mean, graph))
    name = graph.op("Gemm", name, graph.const(matrix))
    if scale is not None:
        name = graph.op("Div", name, _row(scale, graph))
    return block(name, matrix.shape[1], graph)


def _row(values: Any, graph: GraphBuilder) -> str:
    import numpy as np

    return graph.const(np.asarray(values, np.float64).reshape(1, -1))


def partial_svd(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns PLSSVD's scores of the centred and scaled X."""
    import numpy as np

    weights = np.asarray(fitted.x_weights_, np.float64)
    centred = graph.op("Sub", graph.matrix(frame).name, _row(fitted._x_mean, graph))
    scaled = graph.op("Div", centred, _row(fitted._x_std, graph))
    return block(graph.op("Gemm", scaled, graph.const(weights)), weights.shape[1], graph)


def rbf_sampler(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `cos(x @ random_weights_ + random_offset_)`, scaled."""
    projected = graph.op("Gemm", graph.matrix(frame).name, graph.const(fitted.random_weights_))
    waves = cosine(graph, graph.op("Add", projected, _row(fitted.random_offset_, graph)))
    scale = graph.const([[(2.0 / fitted.random_weights_.shape[1]) ** 0.5]])
    return block(graph.op("Mul", waves, scale), fitted.random_weights_.shape[1], graph)


def _stays_sparse(fitted: Any, given: bool) -> bool:
    return given and not fitted.dense_output and hasattr(fitted.components_, "toarray")


STEPS = {
    "PCA": Step(pca),
    "IncrementalPCA": Step(pca),
    "FastICA": Step(ica),
    "FactorAnalysis": Step(factors),
    "TruncatedSVD": Step(projection),
    "GaussianRandomProjection": Step(projection),
    "SparseRandomProjection": Step(projection, sparse=_stays_sparse),
    "PLSSVD": Step(partial_svd),
    "RBFSampler": Step(rbf_sampler),
}
