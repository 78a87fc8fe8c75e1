"""Projections and feature maps: a matrix product with little around it; k-means by its distances.

The products are Gemm, not MatMul: ONNX Runtime fuses a MatMul and a number beside it into one node that keeps the
number in float32, in a graph of float64 too.
"""

from __future__ import annotations

from typing import Any

from .._graph import Frame, GraphBuilder, Value
from .._steps import Answer, Step
from ..spec import Unsupported
from ._blocks import block


def pca(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """`(x - mean_) @ components_.T`, over the deviations where whitened."""
    import numpy as np

    scale = None
    if fitted.whiten:
        deviation = np.sqrt(fitted.explained_variance_)
        scale = np.maximum(deviation, np.finfo(deviation.dtype).eps)
    return _project(frame, graph, fitted.mean_, fitted.components_.T, scale)


def ica(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """`(x - mean_) @ components_.T`; without whitening there is no mean."""
    return _project(frame, graph, fitted.mean_ if fitted.whiten else None, fitted.components_.T)


def factors(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The expected latent variables, with the two products folded into one."""
    import numpy as np

    weighted = fitted.components_ / fitted.noise_variance_
    covariance = np.linalg.inv(np.eye(len(fitted.components_)) + weighted @ fitted.components_.T)
    return _project(frame, graph, fitted.mean_, weighted.T @ covariance)


def projection(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """`x @ components_.T`."""
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


def rbf_sampler(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """`cos(x @ random_weights_ + random_offset_)`, scaled."""
    projected = graph.op("Gemm", graph.matrix(frame).name, graph.const(fitted.random_weights_))
    waves = graph.op("Cos", graph.op("Add", projected, _row(fitted.random_offset_, graph)))
    scale = graph.const([[(2.0 / fitted.random_weights_.shape[1]) ** 0.5]])
    return block(graph.op("Mul", waves, scale), fitted.random_weights_.shape[1], graph)


def nystroem(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The kernel of each row with the kept rows, times the normalisation."""
    x = graph.matrix(frame)
    kernels = {"rbf": _rbf, "linear": _dot, "poly": _polynomial, "polynomial": _polynomial, "sigmoid": _sigmoid}
    if fitted.kernel not in kernels or fitted.kernel_params:
        raise Unsupported(f"Nystroem(kernel={fitted.kernel!r}) has no converter; those of {sorted(kernels)} have one")
    kernel = kernels[fitted.kernel](fitted, x, graph)
    return block(graph.op("Gemm", kernel, graph.const(fitted.normalization_.T)), len(fitted.components_), graph)


def _gamma(fitted: Any, x: Value) -> float:
    return 1.0 / x.width if fitted.gamma is None else float(fitted.gamma)


def _dot(fitted: Any, x: Value, graph: GraphBuilder) -> str:
    return graph.op("Gemm", x.name, graph.const(fitted.components_.T))


def _affine(fitted: Any, x: Value, graph: GraphBuilder) -> str:
    scaled = graph.op("Gemm", x.name, graph.const(fitted.components_.T * _gamma(fitted, x)))
    return graph.op("Add", scaled, graph.const(1.0 if fitted.coef0 is None else float(fitted.coef0)))


def _polynomial(fitted: Any, x: Value, graph: GraphBuilder) -> str:
    return graph.op("Pow", _affine(fitted, x, graph), graph.const(float(fitted.degree or 3)))


def _sigmoid(fitted: Any, x: Value, graph: GraphBuilder) -> str:
    return graph.op("Tanh", _affine(fitted, x, graph))


def _rbf(fitted: Any, x: Value, graph: GraphBuilder) -> str:
    distance = _squared_distances(x, fitted.components_, graph)
    return graph.op("Exp", graph.op("Mul", distance, graph.const(-_gamma(fitted, x))))


def _squared_distances(x: Value, points: Any, graph: GraphBuilder) -> str:
    """`[N, points]`, never below zero."""
    import numpy as np

    own = graph.op("ReduceSum", graph.op("Mul", x.name, x.name), graph.const([1], "int64"))
    product = graph.op("Gemm", x.name, graph.const(-2.0 * np.asarray(points).T))
    others = _row((np.asarray(points, float) ** 2).sum(1), graph)
    return graph.op("Max", graph.op("Add", graph.op("Add", product, own), others), graph.const(0.0))


def k_means(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The nearest centre, and the distances to all of them."""
    import numpy as np

    x = graph.matrix(frame)
    centers = np.asarray(fitted.cluster_centers_, float)
    # as scikit-learn does: without the part of the distance that is the row's own
    product = graph.op("Gemm", x.name, graph.const(-2.0 * centers.T))
    apart = graph.op("Add", product, _row((centers**2).sum(1), graph))
    label = graph.op("ArgMin", apart, axis=1, keepdims=0)
    distances = graph.op("Sqrt", _squared_distances(x, centers, graph))
    return Answer(transformed=block(distances, len(centers), graph).transformed, label=label)


STEPS = {
    "PCA": Step(pca),
    "IncrementalPCA": Step(pca),
    "FastICA": Step(ica),
    "FactorAnalysis": Step(factors),
    "TruncatedSVD": Step(projection),
    "GaussianRandomProjection": Step(projection),
    "SparseRandomProjection": Step(projection),
    "RBFSampler": Step(rbf_sampler),
    "Nystroem": Step(nystroem),
    "KMeans": Step(k_means),
    "MiniBatchKMeans": Step(k_means),
}
