"""Products with sparse matrices, which skip absent cells as sparse code does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def product(graph: GraphBuilder, x: str, weights: Array, stored: Array) -> str:
    """Returns `x @ weights`, `[N, T]`, for `weights` `[F, T]`; cells whose weight is not `stored` are not read."""
    import numpy as np

    read = np.flatnonzero(stored.any(axis=1))
    if not len(read):
        return _nothing(graph, x, weights.shape[1])
    chosen = x if len(read) == len(weights) else graph.op("Gather", x, graph.const(read, "int64"), axis=1)
    weights, stored = np.where(stored, weights, 0.0)[read], stored[read]
    if stored.all():
        return graph.op("MatMul", chosen, graph.const(np.ascontiguousarray(weights)))
    return _finite_and_rest(graph, chosen, weights, stored)


def _nothing(graph: GraphBuilder, x: str, width: int) -> str:
    import numpy as np

    one = graph.op("Gather", x, graph.const([0], "int64"), axis=1)
    flag = graph.op("Cast", graph.op("IsNaN", one), to=_DOUBLE)
    return graph.op("Mul", flag, graph.const(np.zeros((1, width))))


def _finite_and_rest(graph: GraphBuilder, x: str, weights: Array, stored: Array) -> str:
    """Multiplies the finite cells, and separately determines which sums the others make NaN or infinite."""
    import numpy as np

    nan = graph.op("IsNaN", x)
    up, down = (graph.op("Equal", x, graph.const([[limit]])) for limit in (np.inf, -np.inf))
    odd = graph.op("Or", nan, graph.op("Or", up, down))
    clean = graph.op("Where", odd, graph.const([[0.0]]), x)
    total = graph.op("MatMul", clean, graph.const(np.ascontiguousarray(weights)))
    rising = graph.op("Add", _count(graph, up, weights > 0), _count(graph, down, weights < 0))
    falling = graph.op("Add", _count(graph, up, weights < 0), _count(graph, down, weights > 0))
    zero = stored & (weights == 0)
    none = graph.op("Add", _count(graph, nan, stored), _count(graph, odd, zero))
    none = graph.op("Add", none, graph.op("Mul", rising, falling))
    total = _replaced(graph, rising, np.inf, total)
    total = _replaced(graph, falling, -np.inf, total)
    return _replaced(graph, none, np.nan, total)


def _count(graph: GraphBuilder, flag: str, where: Array) -> str:
    import numpy as np

    number = graph.op("Cast", flag, to=_DOUBLE)
    return graph.op("MatMul", number, graph.const(np.ascontiguousarray(where.astype(np.float64))))


def _replaced(graph: GraphBuilder, count: str, value: float, total: str) -> str:
    some = graph.op("Greater", count, graph.const([[0.0]]))
    return graph.op("Where", some, graph.const([[value]]), total)


_DOUBLE = 11
