"""Labels propagated from the training rows to a new row, by a kernel or by its nearest neighbours."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._neighbors import distances as distances
from ._neighbors.nearest import equals_of, nearest


def propagation(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the training rows' classes, weighted by proximity; NaN and the first class where all are too far."""
    import numpy as np

    if fitted.kernel not in ("rbf", "knn"):
        raise Unsupported(f"{type(fitted).__name__} has a custom kernel (a function), which has no converter")
    x = graph.matrix(frame).name
    table = graph.const(np.asarray(fitted.label_distributions_, np.float64))
    if fitted.kernel == "knn":
        equals = equals_of(fitted, fitted.n_neighbors, lambda model, rows: model.predict_proba(rows), "nn_fit")
        rows = nearest(graph, x, fitted.nn_fit, fitted.n_neighbors, equals)[1]
        near = graph.op("Gather", table, rows, axis=0)
        votes = graph.op("ReduceSum", near, graph.const([1], "int64"), keepdims=0)
    else:
        square = distances.between(graph, x, np.asarray(fitted.X_, np.float64), "sqeuclidean")
        kernel = graph.op("Exp", graph.op("Mul", graph.const([[-float(fitted.gamma)]]), square))
        votes = graph.op("Gemm", kernel, table)
    total = graph.op("ReduceSum", votes, graph.const([1], "int64"), keepdims=1)
    probabilities = graph.op("Div", votes, total)
    known = graph.op("Where", graph.op("IsNaN", probabilities), graph.const(0.0), probabilities)
    return Answer(index=scores.argmax(graph, known), probabilities=probabilities)


STEPS = {
    "LabelPropagation": Step(propagation),
    "LabelSpreading": Step(propagation),
}
