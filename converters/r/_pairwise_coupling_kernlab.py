"""kernlab's `minpair`: class probabilities from pairwise ones, by the linear system that R solves per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def minpair(graph: GraphBuilder, pair: str, count: int) -> str:
    """Returns probabilities `[N, C]` from `pair` `[N, P]`, in the order of kernlab's loops."""
    other = graph.op("Sub", graph.const([[1.0]]), pair)
    if count == 2:
        return graph.op("Concat", pair, other, axis=1)
    found = _solved(graph, _system(graph, pair, other, count), count + 1)
    weights = graph.op("Concat", *found[:count], axis=1)
    return graph.op("Div", weights, graph.op("ReduceSum", weights, graph.const([1], "int64"), keepdims=1))


def _places(count: int) -> tuple[Array, Array]:
    """Returns the pair in each cell above and below the diagonal: both are filled column by column, as in R.

    With four or more classes that is not the order of the pairs, and opposite cells belong to different pairs.
    """
    import numpy as np

    above, below = np.full((count, count), -1), np.full((count, count), -1)
    cells = [(i, j) for j in range(count) for i in range(count)]
    for p, cell in enumerate(each for each in cells if each[0] < each[1]):
        above[cell] = p
    for p, cell in enumerate(each for each in cells if each[0] > each[1]):
        below[cell] = p
    return above, below


def _system(graph: GraphBuilder, pair: str, other: str, count: int) -> str:
    """Returns the system with its right-hand side, `[N, C + 1, C + 2]`."""
    import numpy as np

    above, below = _places(count)
    pairs = count * (count - 1) // 2
    squares = np.zeros((2 * pairs, count))
    product = np.zeros((pairs, count * count))
    for i in range(count):
        for j in range(count):
            if i < j:
                squares[above[i, j], j] += 1.0
                product[above[i, j], i * count + j] = -1.0
            elif i > j:
                squares[pairs + below[i, j], j] += 1.0
                product[below[i, j], i * count + j] = -1.0
    both = graph.op("Concat", pair, other, axis=1)
    sums = graph.op("MatMul", graph.op("Mul", both, both), graph.const(squares))
    diagonal = np.zeros((count, count * count))
    diagonal[np.arange(count), np.arange(count) * (count + 1)] = 1.0
    around = graph.op("MatMul", graph.op("Mul", pair, other), graph.const(product))
    inner = graph.op("Add", around, graph.op("MatMul", sums, graph.const(diagonal)))
    inner = graph.op("Reshape", inner, graph.const([-1, count, count], "int64"))
    padded = graph.op("Pad", inner, graph.const([0, 0, 0, 0, 1, 2], "int64"), graph.const(0.0))
    border = np.zeros((1, count + 1, count + 2))
    border[0, count, :count] = border[0, :count, count] = border[0, count, count + 1] = 1.0
    return graph.op("Add", padded, graph.const(border))


def _solved(graph: GraphBuilder, system: str, size: int) -> list[str]:
    """Solves for the unknowns, each `[N, 1]`, by elimination with partial pivoting, as LAPACK does."""
    import numpy as np

    places = graph.const(np.arange(size).reshape(1, -1), "int64")
    used, rows = "", []
    for k in range(size):
        column = graph.op("Gather", system, graph.const(k, "int64"), axis=2)
        size_of = graph.op("Abs", column)
        free = graph.op("Where", used, graph.const([[-1.0]]), size_of) if used else size_of
        chosen = graph.op("Equal", graph.op("ArgMax", free, axis=1, keepdims=1), places)
        pivot = _row(graph, system, chosen)
        rows.append(pivot)
        used = graph.op("Or", used, chosen) if used else chosen
        inverse = graph.op("Div", graph.const([[1.0]]), _cell(graph, pivot, k))
        factor = graph.op("Where", used, graph.const([[0.0]]), graph.op("Mul", column, inverse))
        change = graph.op("Mul", _unsqueezed(graph, factor, 2), _unsqueezed(graph, pivot, 1))
        system = graph.op("Sub", system, change)
    found: list[str] = [""] * size
    for k in reversed(range(size)):
        value = _cell(graph, rows[k], size)
        for j in range(k + 1, size):
            value = graph.op("Sub", value, graph.op("Mul", _cell(graph, rows[k], j), found[j]))
        found[k] = graph.op("Div", value, _cell(graph, rows[k], k))
    return found


def _row(graph: GraphBuilder, system: str, chosen: str) -> str:
    mask = _unsqueezed(graph, graph.op("Cast", chosen, to=_DOUBLE), 2)
    return graph.op("ReduceSum", graph.op("Mul", system, mask), graph.const([1], "int64"), keepdims=0)


def _cell(graph: GraphBuilder, row: str, place: int) -> str:
    return graph.op("Gather", row, graph.const([place], "int64"), axis=1)


def _unsqueezed(graph: GraphBuilder, value: str, axis: int) -> str:
    return graph.op("Unsqueeze", value, graph.const([axis], "int64"))


_DOUBLE = 11
