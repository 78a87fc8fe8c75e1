"""Distances from each row to a set of known points, `[N, M]`."""

from __future__ import annotations

from typing import Any

from .._graph import GraphBuilder


AT_ONCE = 16384
"""Cells of points up to which all columns are compared at once; beyond, column by column, in less memory."""


def between(graph: GraphBuilder, x: str, points: Any, metric: str) -> str:
    """Distances by direct differences, exact to the last places wherever the points lie.

    `metric`: `sqeuclidean`, `manhattan` or `chebyshev`.
    """
    if points.size > AT_ONCE:
        return _by_column(graph, x, points, metric)
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), graph.const(points))
    kind = {"sqeuclidean": "ReduceSumSquare", "manhattan": "ReduceL1", "chebyshev": "ReduceMax"}[metric]
    value = graph.op("Abs", apart) if metric == "chebyshev" else apart
    return graph.op(kind, value, graph.const([2], "int64"), keepdims=0)


def _by_column(graph: GraphBuilder, x: str, points: Any, metric: str) -> str:
    join = "Max" if metric == "chebyshev" else "Add"
    found = ""
    for i in range(points.shape[1]):
        column = graph.op("Gather", x, graph.const([i], "int64"), axis=1)
        apart = graph.op("Sub", column, graph.const(points[:, i]))
        part = graph.op("Mul", apart, apart) if metric == "sqeuclidean" else graph.op("Abs", apart)
        found = graph.op(join, found, part) if found else part
    return found


def squared_by_product(graph: GraphBuilder, x: str, points: Any) -> str:
    """Squared euclidean distances from one matrix product around the points' middle: little memory, and quick."""
    import numpy as np

    middle = points.mean(axis=0)
    centred = points - middle
    moved = graph.op("Sub", x, graph.const(middle))
    own = graph.op("ReduceSumSquare", moved, graph.const([1], "int64"), keepdims=1)
    crossed = graph.op("Gemm", moved, graph.const(-2 * centred.T), graph.const(np.square(centred).sum(axis=1)))
    return graph.op("Max", graph.op("Add", crossed, own), graph.const(0.0))


def nearness(graph: GraphBuilder, x: str, points: Any) -> str:
    """Squared distances less each row's own square: the same order of points, without the row's magnitude."""
    import numpy as np

    middle = points.mean(axis=0)
    centred = points - middle
    moved = graph.op("Sub", x, graph.const(middle))
    return graph.op("Gemm", moved, graph.const(-2 * centred.T), graph.const(np.square(centred).sum(axis=1)))
