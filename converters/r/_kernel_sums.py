"""Column-wise sums that compare each row with each of some fixed points, `[N, M]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def columns_beside(graph: GraphBuilder, x: str, points: Array) -> Iterator[tuple[str, str]]:
    """Yields, column by column, the rows' cells `[N, 1]` and the points' `[1, M]`: less memory than all at once."""
    for i in range(points.shape[1]):
        yield graph.op("Gather", x, graph.const([i], "int64"), axis=1), graph.const(points[:, i].reshape(1, -1))


def squared_distances(graph: GraphBuilder, x: str, points: Array) -> str:
    """Returns squared distances by direct differences."""
    total = ""
    for own, other in columns_beside(graph, x, points):
        apart = graph.op("Sub", own, other)
        square = graph.op("Mul", apart, apart)
        total = graph.op("Add", total, square) if total else square
    return total


def inner_products(graph: GraphBuilder, x: str, points: Array) -> str:
    """Returns inner products without the zeros of a point, as for sparse vectors: no cell there makes it NaN."""
    import numpy as np

    total = ""
    for i, (own, other) in enumerate(columns_beside(graph, x, points)):
        term = graph.op("Mul", own, other)
        if (points[:, i] == 0).any():
            none = graph.const(np.asarray(points[:, i] == 0).reshape(1, -1), "bool")
            term = graph.op("Where", none, graph.const([[0.0]]), term)
        total = graph.op("Add", total, term) if total else term
    return total
