"""Manifold embeddings, extended to new rows by their nearest training rows."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._neighbors.nearest import equals_of, nearest, points_of


def _ask(model: Any, x: Any) -> Any:
    return model.transform(x)


def isomap(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Projects the shortest paths over the neighbours to all training rows by the kernel's own components."""
    import numpy as np

    if fitted.n_neighbors is None:
        raise Unsupported(
            "Isomap(radius=...) raises for a row without neighbours, which no constraint can express: use n_neighbors"
        )
    equals = equals_of(fitted, fitted.n_neighbors, _ask, "nbrs_")
    away, rows = nearest(graph, graph.matrix(frame).name, fitted.nbrs_, fitted.n_neighbors, equals)
    ways = graph.const(np.asarray(fitted.dist_matrix_, np.float64))
    shortest = ""
    for i in range(fitted.n_neighbors):
        near = scores.flat(graph, scores.pick(graph, rows, i))
        way = graph.op("Add", graph.op("Gather", ways, near, axis=0), scores.pick(graph, away, i))
        shortest = graph.op("Min", shortest, way) if shortest else way
    kernel = graph.op("Mul", graph.op("Mul", shortest, shortest), graph.const([[-0.5]]))
    return _projected(fitted.kernel_pca_, kernel, graph)


def _projected(pca: Any, kernel: str, graph: GraphBuilder) -> Answer:
    """Applies `KernelPCA.transform` to a computed kernel."""
    import numpy as np

    centre = pca._centerer
    mean = graph.op("ReduceMean", kernel, graph.const([1], "int64"), keepdims=1)
    centred = graph.op("Sub", kernel, graph.const(np.asarray(centre.K_fit_rows_, np.float64)[None]))
    centred = graph.op("Sub", centred, mean)
    centred = graph.op("Add", centred, graph.const([[float(centre.K_fit_all_)]]))
    used = np.flatnonzero(pca.eigenvalues_)
    scaled = np.zeros(pca.eigenvectors_.shape)
    scaled[:, used] = pca.eigenvectors_[:, used] / np.sqrt(pca.eigenvalues_[used])
    return Answer(transformed=(Value(scores.gemm(graph, centred, scaled, 0.0), graph.real, scaled.shape[1]),))


def locally_linear(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Combines the neighbours' positions by the weights that reconstruct the row from the neighbours."""
    import numpy as np

    count = fitted.n_neighbors
    equals = equals_of(fitted, count, _ask, "nbrs_")
    x = graph.matrix(frame).name
    rows = nearest(graph, x, fitted.nbrs_, count, equals)[1]
    near = graph.op("Gather", graph.const(points_of(fitted.nbrs_)), rows, axis=0)
    apart = graph.op("Sub", near, graph.op("Unsqueeze", x, graph.const([1], "int64")))
    weights = _barycentre(graph, apart, count, float(fitted.reg))
    places = graph.op("Gather", graph.const(np.asarray(fitted.embedding_, np.float64)), rows, axis=0)
    found = graph.op("ReduceSum", graph.op("Mul", places, weights), graph.const([1], "int64"), keepdims=0)
    return Answer(transformed=(Value(found, graph.real, fitted.embedding_.shape[1]),))


def _barycentre(graph: GraphBuilder, apart: str, count: int, reg: float) -> str:
    """Returns weights `[N, K, 1]` that sum to 1, from the neighbours minus the row, `[N, K, F]`."""
    import numpy as np

    gram = graph.op("MatMul", apart, graph.op("Transpose", apart, perm=[0, 2, 1]))
    diagonal = graph.op("Mul", gram, graph.const(np.eye(count)[None]))
    trace = graph.op("ReduceSum", diagonal, graph.const([1, 2], "int64"), keepdims=1)
    ridge = graph.op("Mul", graph.const([[[reg]]]), trace)
    ridge = graph.op("Where", graph.op("Greater", trace, graph.const(0.0)), ridge, graph.const([[[reg]]]))
    matrix = graph.op("Add", gram, graph.op("Mul", ridge, graph.const(np.eye(count)[None])))
    found = _solved(graph, matrix, count)
    return graph.op("Div", found, graph.op("ReduceSum", found, graph.const([1], "int64"), keepdims=1))


def _solved(graph: GraphBuilder, matrix: str, count: int) -> str:
    """`matrix \\ 1` for positive definite matrices `[N, K, K]`, by elimination without exchanges: `[N, K, 1]`."""
    import numpy as np

    ones = graph.op("Mul", graph.op("Gather", matrix, graph.const([0], "int64"), axis=2), graph.const(0.0))
    table = graph.op("Concat", matrix, graph.op("Add", ones, graph.const(1.0)), axis=2)
    for i in range(count):
        place = graph.const([i], "int64")
        line = graph.op("Gather", table, place, axis=1)
        line = graph.op("Div", line, graph.op("Gather", line, place, axis=2))
        others = graph.const(1.0 - np.eye(count)[i][None, :, None])
        factors = graph.op("Mul", graph.op("Gather", table, place, axis=2), others)
        cleared = graph.op("Sub", table, graph.op("Mul", factors, line))
        here = graph.const(np.eye(count, dtype=bool)[i][None, :, None])
        table = graph.op("Where", here, line, cleared)
    return graph.op("Gather", table, graph.const([count], "int64"), axis=2)


STEPS = {
    "Isomap": Step(isomap),
    "LocallyLinearEmbedding": Step(locally_linear),
}
