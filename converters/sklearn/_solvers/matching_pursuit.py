"""Orthogonal matching pursuit: atoms one by one, each the one most correlated with the residual.

All rows step together. A row that scikit-learn ends early (no atom is correlated with the residual, or the next one is
a combination of the chosen ones) keeps its state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._graph.builder import GraphBuilder
from .. import _scores as scores
from . import loops as loops
from .gram import gram_of

TINY = 2.220446049250313e-16


@dataclass(frozen=True)
class Problem:
    """`gram`: products of atoms with each other. `likeness`: `[N, K]`, of rows with atoms. `most`: atoms of a code."""

    gram: Any
    likeness: str
    most: int

    @property
    def atoms(self) -> int:
        return len(self.gram)


def pursued(graph: GraphBuilder, x: str, atoms: Any, most: int) -> str:
    """Returns the code `[N, K]` of each row of `x` over the rows of `atoms`, at most `most` of them."""
    import numpy as np

    likeness = scores.gemm(graph, x, atoms.T, 0.0)
    problem = Problem(gram_of(atoms), likeness, most)
    count = problem.atoms
    order = graph.op("Expand", graph.const(np.arange(count)[None]), loops.shape_like(graph, x, count))
    factor = graph.op("Expand", graph.const(0.0), loops.shape_like(graph, x, most, most))
    done = graph.op("Less", loops.filled(graph, x, 1, 0.0), graph.const(0.0))
    states = [
        loops.State(order, "int64", ("N", count)),
        loops.State(factor, graph.real, ("N", most, most)),
        loops.State(loops.filled(graph, x, most, 0.0), graph.real, ("N", most)),
        loops.State(done, "bool", ("N", 1)),
    ]
    found = loops.loop(graph, most, states, lambda body, step, now: ("", _step(body, problem, step, now)))
    return _spread(graph, problem, found[0], found[2])


def _spread(graph: GraphBuilder, problem: Problem, order: str, weights: str) -> str:
    """Scatters the weights `[N, most]` of the first atoms in `order` to their positions among all."""
    zero = graph.op("Mul", problem.likeness, graph.const([[0.0]]))
    return graph.op("ScatterElements", zero, _first(graph, order, problem.most), weights, axis=1)


def _first(graph: GraphBuilder, value: str, count: int) -> str:
    ends = [graph.const([n], "int64") for n in (0, count, 1)]
    return graph.op("Slice", value, *ends)


def _step(graph: GraphBuilder, problem: Problem, step: str, now: list[str]) -> list[str]:
    """Returns the order of atoms (chosen ones first), their inverse Cholesky factor, the weights, the done rows."""
    order, factor, weights, done = now
    known = graph.op("Gemm", _spread(graph, problem, order, weights), graph.const(problem.gram))
    left = graph.op("GatherElements", graph.op("Sub", problem.likeness, known), order, axis=1)
    place = graph.op("ArgMax", graph.op("Abs", left), axis=1, keepdims=1)
    best = graph.op("GatherElements", left, place, axis=1)
    weak = graph.op("Less", graph.op("Mul", best, best), graph.const([[TINY]]))
    atom = graph.op("GatherElements", order, place, axis=1)
    across, own = _products(graph, problem, atom, order)
    inner = _times(graph, factor, across, axis=2)
    rest = graph.op("Sub", own, graph.op("ReduceSumSquare", inner, graph.const([1], "int64"), keepdims=1))
    dependent = graph.op("And", _after_first(graph, step), graph.op("LessOrEqual", rest, graph.const([[TINY]])))
    chosen_before = graph.op("Less", place, step)
    done = graph.op("Or", graph.op("Or", done, chosen_before), graph.op("Or", weak, dependent))
    swapped = _swapped(graph, problem, order, place, atom, step)
    extended = _extended(graph, problem, factor, inner, graph.op("Where", done, graph.const([[1.0]]), rest), step)
    target = graph.op("GatherElements", problem.likeness, _first(graph, swapped, problem.most), axis=1)
    solved = _times(graph, extended, _times(graph, extended, target, axis=2), axis=1)
    whole = graph.op("Unsqueeze", done, graph.const([2], "int64"))
    pairs = ((done, order, swapped), (whole, factor, extended), (done, weights, solved))
    return [*(graph.op("Where", stop, old, new) for stop, old, new in pairs), done]


def _after_first(graph: GraphBuilder, step: str) -> str:
    return graph.op("Greater", step, graph.const(0, "int64"))


def _products(graph: GraphBuilder, problem: Problem, atom: str, order: str) -> tuple[str, str]:
    """Returns the new atom's products with the first ones in `order`, `[N, most]`, and with itself, `[N, 1]`."""
    flat = graph.op("Squeeze", atom, graph.const([1], "int64"))
    line = graph.op("Gather", graph.const(problem.gram), flat, axis=0)
    across = graph.op("GatherElements", line, _first(graph, order, problem.most), axis=1)
    return across, graph.op("GatherElements", line, atom, axis=1)


def _times(graph: GraphBuilder, matrices: str, vectors: str, axis: int) -> str:
    """Multiplies each row's matrix (`axis` 2), or its transpose (`axis` 1), with the row's vector."""
    wide = graph.op("Unsqueeze", vectors, graph.const([3 - axis], "int64"))
    return graph.op("ReduceSum", graph.op("Mul", matrices, wide), graph.const([axis], "int64"), keepdims=0)


def _swapped(graph: GraphBuilder, problem: Problem, order: str, place: str, atom: str, step: str) -> str:
    """Returns the order with the new atom at `step`, swapped with the atom that was there."""
    import numpy as np

    columns = graph.const(np.arange(problem.atoms)[None])
    there = graph.op("Gather", order, graph.op("Reshape", step, graph.const([1], "int64")), axis=1)
    moved = graph.op("Where", graph.op("Equal", columns, place), there, order)
    return graph.op("Where", graph.op("Equal", columns, step), atom, moved)


def _extended(graph: GraphBuilder, problem: Problem, factor: str, inner: str, rest: str, step: str) -> str:
    """Returns the inverse of the Cholesky factor with another row: `(e - factor.T @ inner) / sqrt(rest)`."""
    import numpy as np

    columns = np.arange(problem.most)
    back = graph.op("Neg", _times(graph, factor, inner, axis=1))
    line = graph.op("Where", graph.op("Equal", graph.const(columns[None]), step), graph.const([[1.0]]), back)
    line = graph.op("Unsqueeze", graph.op("Div", line, graph.op("Sqrt", rest)), graph.const([1], "int64"))
    return graph.op("Where", graph.op("Equal", graph.const(columns[None, :, None]), step), line, factor)
