"""The lasso of each row by cyclic coordinate descent with gap-safe screening, as in scikit-learn.

It stops within a tolerance of the optimum, so an equal result needs the same sweeps with the same end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._graph.builder import GraphBuilder
from .. import _scores as scores
from . import loops as loops
from .gram import gram_of

TOLERANCE = 1e-8
"""scikit-learn's tolerance of the lasso for a sparse code."""


@dataclass(frozen=True)
class Problem:
    """`gram`: products of atoms with each other. `likeness`: `[N, K]`, of rows with atoms. `size`: `[N, 1]`, the sum of
    squares of each row. `penalty`: of the sum of magnitudes. `screens`: whether atoms are screened out on the way."""

    gram: Any
    likeness: str
    size: str
    penalty: float
    positive: bool
    screens: bool

    @property
    def own(self) -> Any:
        """Returns each atom's product with itself; 1 for an empty atom, which is never used."""
        import numpy as np

        return np.where(np.diag(self.gram) == 0, 1.0, np.diag(self.gram))[None]


def lasso(graph: GraphBuilder, x: str, atoms: Any, alpha: float, passes: int, positive: bool) -> str:
    """Returns the code `[N, K]` of each row of `x` over the rows of `atoms`."""
    import numpy as np

    count, width = atoms.shape
    likeness = scores.gemm(graph, x, atoms.T, 0.0)
    size = graph.op("ReduceSumSquare", x, graph.const([1], "int64"), keepdims=1)
    penalty = float(alpha) / width * 1.0 * width
    problem = Problem(gram_of(atoms), likeness, size, penalty, positive, _screens())
    zero = loops.filled(graph, x, count, 0.0)
    gap, dual, norm = _gap(graph, problem, zero, zero)
    done = graph.op("And", graph.op("GreaterOrEqual", gap, graph.const([[0.0]])), _below(graph, problem, gap))
    active = graph.op("Expand", graph.const(np.diag(problem.gram)[None] != 0), loops.shape_like(graph, x, count))
    if problem.screens:
        active = graph.op("And", active, _kept(graph, problem, gap, dual, norm))
    shape = ("N", count)
    states = [loops.State(zero, graph.real, shape), loops.State(zero, graph.real, shape)]
    states += [loops.State(active, "bool", shape), loops.State(done, "bool", ("N", 1))]
    found = loops.loop(graph, passes, states, lambda body, step, now: _pass(body, problem, passes, step, now))
    return found[0]


def _screens() -> bool:
    """Returns whether scikit-learn screens atoms out (1.8 or later); earlier versions sweep over all of them."""
    import sklearn

    return tuple(int(part) for part in sklearn.__version__.split(".")[:2]) >= (1, 8)


def _below(graph: GraphBuilder, problem: Problem, gap: str) -> str:
    return graph.op("LessOrEqual", gap, graph.op("Mul", problem.size, graph.const([[TOLERANCE]])))


def _sum(graph: GraphBuilder, value: str) -> str:
    return graph.op("ReduceSum", value, graph.const([1], "int64"), keepdims=1)


def _most(graph: GraphBuilder, value: str) -> str:
    return graph.op("ReduceMax", value, graph.const([1], "int64"), keepdims=1)


def _gap(graph: GraphBuilder, problem: Problem, weights: str, product: str) -> tuple[str, str, str]:
    """Returns the duality gap `[N, 1]`, the products of atoms with the residual, and the largest of them.

    `product`: `weights @ gram`.
    """

    def number(value: float) -> str:
        return graph.const([[value]])

    towards = _sum(graph, graph.op("Mul", weights, problem.likeness))
    inner = _sum(graph, graph.op("Mul", weights, product))
    twice = graph.op("Mul", towards, number(2.0))
    rest = graph.op("Sub", graph.op("Add", problem.size, inner), twice)
    along = graph.op("Sub", problem.size, towards)
    dual = graph.op("Sub", problem.likeness, product)
    norm = _most(graph, dual if problem.positive else graph.op("Abs", dual))
    penalty = number(problem.penalty)
    half = graph.op("Mul", rest, number(0.5))
    primal = graph.op("Add", half, graph.op("Mul", _sum(graph, graph.op("Abs", weights)), penalty))
    feasible = graph.op("Greater", norm, penalty)
    scale = graph.op("Where", feasible, graph.op("Div", penalty, graph.op("Max", norm, penalty)), number(1.0))
    squares = graph.op("Mul", graph.op("Mul", scale, scale), half)
    best = graph.op("Sub", graph.op("Mul", scale, along), squares)
    return graph.op("Sub", primal, best), dual, norm


def _kept(graph: GraphBuilder, problem: Problem, gap: str, dual: str, norm: str) -> str:
    """Returns, per atom, whether it may still have a weight (Fercoq, Gramfort, Salmon 2015)."""
    import numpy as np

    penalty = graph.const([[problem.penalty]])
    radius = graph.op("Div", graph.op("Sqrt", graph.op("Mul", graph.op("Abs", gap), graph.const([[2.0]]))), penalty)
    angle = graph.op("Abs", graph.op("Div", dual, graph.op("Max", norm, penalty)))
    apart = graph.op("Div", graph.op("Sub", graph.const([[1.0]]), angle), graph.const(np.sqrt(problem.own)))
    return graph.op("LessOrEqual", apart, radius)


def _pass(graph: GraphBuilder, problem: Problem, passes: int, step: str, now: list[str]) -> tuple[str, list[str]]:
    """Runs one sweep over the atoms, and tests whether it was a row's last one."""
    before, product, active, done = now
    weights = before
    for t in range(len(problem.gram)):
        weights, product = _descend(graph, problem, weights, product, active, t)
    change = _most(graph, graph.op("Abs", graph.op("Sub", weights, before)))
    largest = _most(graph, graph.op("Abs", weights))
    small = graph.op("LessOrEqual", change, graph.op("Mul", largest, graph.const([[TOLERANCE]])))
    last = graph.op("Equal", step, graph.const(passes - 1, "int64"))
    tested = graph.op("Or", small, last)
    gap, dual, norm = _gap(graph, problem, weights, product)
    ends = graph.op("And", tested, _below(graph, problem, gap))
    if problem.screens:
        left = graph.op("Or", _kept(graph, problem, gap, dual, norm), graph.op("Or", ends, graph.op("Not", tested)))
        active = graph.op("And", active, left)
        kept = graph.op("Where", active, weights, graph.const([[0.0]]))
        dropped = graph.op("Gemm", graph.op("Sub", weights, kept), graph.const(problem.gram))
        weights, product = kept, graph.op("Sub", product, dropped)
    weights = graph.op("Where", done, before, weights)
    done = graph.op("Or", done, ends)
    return loops.any_of(graph, graph.op("Not", done)), [weights, product, active, done]


def _descend(graph: GraphBuilder, problem: Problem, weights: str, product: str, active: str, t: int) -> tuple[str, str]:
    """Returns the weights and their product with `gram` after the update of atom `t`."""
    import numpy as np

    own = float(problem.gram[t, t])
    if own == 0:
        return weights, product
    old = scores.pick(graph, weights, t)
    gap = graph.op("Sub", scores.pick(graph, problem.likeness, t), scores.pick(graph, product, t))
    pull = graph.op("Add", gap, graph.op("Mul", old, graph.const([[own]])))
    zero, penalty = graph.const([[0.0]]), graph.const([[problem.penalty]])
    size = pull if problem.positive else graph.op("Abs", pull)
    shrunk = graph.op("Max", graph.op("Sub", size, penalty), zero)
    signed = shrunk if problem.positive else graph.op("Mul", graph.op("Sign", pull), shrunk)
    moved = graph.op("Where", scores.pick(graph, active, t), graph.op("Div", signed, graph.const([[own]])), old)
    along = graph.op("Mul", graph.op("Sub", moved, old), graph.const(problem.gram[[t]]))
    here = graph.const(np.eye(len(problem.gram), dtype=bool)[[t]])
    return graph.op("Where", here, moved, weights), graph.op("Add", product, along)
