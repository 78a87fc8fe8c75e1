"""Distances from each row to a set of known points, `[N, M]`."""

from __future__ import annotations

from typing import Any

from .._graph import GraphBuilder


def between(graph: GraphBuilder, x: str, points: Any, metric: str) -> str:
    """Distances by direct differences `[N, M, F]`, exact to the last places wherever the points lie.

    `metric`: `sqeuclidean`, `manhattan` or `chebyshev`.
    """
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), graph.const(points))
    kind = {"sqeuclidean": "ReduceSumSquare", "manhattan": "ReduceL1", "chebyshev": "ReduceMax"}[metric]
    value = graph.op("Abs", apart) if metric == "chebyshev" else apart
    return graph.op(kind, value, graph.const([2], "int64"), keepdims=0)


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
