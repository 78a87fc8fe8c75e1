"""Least angle regression of each row on the atoms of a dictionary, and the lasso by the same path.

The path of Efron, Hastie, Johnstone, Tibshirani (2004), with scikit-learn's own tests for its ends: all rows step
together, and a row that has reached its end keeps its state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..._graph.builder import GraphBuilder
from .. import _scores as scores
from . import loops as loops
from .gram import gram_of

EQUAL = 1.1920928955078125e-07
TINY = 1.1754943508222875e-38
HUGE = 1e300
LEAST_PIVOT = 1e-7


@dataclass(frozen=True)
class Problem:
    """`gram`: products of atoms with each other. `likeness`: `[N, K]`, of rows with atoms. `width`: of a row.
    `alpha`: where the path ends. `steps`: the maximum number. `lasso`: a weight that returns to 0 is removed."""

    gram: Any
    likeness: str
    width: int
    alpha: float
    steps: int
    lasso: bool
    positive: bool

    @property
    def atoms(self) -> int:
        return len(self.gram)


@dataclass(frozen=True)
class Path:
    """State of the rows, `[N, K]` unless stated: `weights`, those `before` the last step, the products of atoms with
    the residual (`left`), the `signs` of active atoms (else 0), the `inverse` of their gram `[N, K, K]`; as `[N, 1]`,
    the `alpha` of the last step, the `count` of steps, whether a weight returned to 0 (`turned`), and which rows are
    `done`."""

    weights: str
    before: str
    left: str
    signs: str
    inverse: str
    alpha: str
    count: str
    turned: str
    done: str


def path(graph: GraphBuilder, x: str, atoms: Any, end: tuple[float, int], lasso: bool, positive: bool) -> str:
    """Returns the code `[N, K]` of each row of `x` over the rows of `atoms`. `end`: last alpha, number of steps."""
    likeness = scores.gemm(graph, x, atoms.T, 0.0)
    problem = Problem(gram_of(atoms), likeness, atoms.shape[1], *end, lasso, positive)
    count = problem.atoms
    wide, one = loops.filled(graph, x, count, 0.0), loops.filled(graph, x, 1, 0.0)
    no = graph.op("Less", one, graph.const(0.0))
    square = graph.op("Expand", graph.const(0.0), loops.shape_like(graph, x, count, count))
    starts = [wide, wide, likeness, wide, square, one, one, no, no]
    kinds = [*[graph.real] * 7, "bool", "bool"]
    shapes: list[tuple[Any, ...]] = [*[("N", count)] * 4, ("N", count, count), *[("N", 1)] * 4]
    states = [loops.State(*each) for each in zip(starts, kinds, shapes)]

    def one_step(body: GraphBuilder, step: str, now: list[str]) -> tuple[str, list[str]]:
        after = _step(body, problem, Path(*now))
        return loops.any_of(body, body.op("Not", after.done)), list(vars(after).values())

    # an atom that is too similar to the active ones costs a pass, not a step
    return loops.loop(graph, problem.steps + count, states, one_step)[0]


def _number(graph: GraphBuilder, value: float) -> str:
    return graph.const([[float(value)]])


def _sum(graph: GraphBuilder, value: str) -> str:
    return graph.op("ReduceSum", value, graph.const([1], "int64"), keepdims=1)


def _all(graph: GraphBuilder, kind: str, *flags: str) -> str:
    found = flags[0]
    for flag in flags[1:]:
        found = graph.op(kind, found, flag)
    return found


def _step(graph: GraphBuilder, problem: Problem, now: Path) -> Path:
    """Returns the path after one more step."""
    inside = graph.op("Not", graph.op("Equal", now.signs, _number(graph, 0)))
    place, most = _likeliest(graph, problem, now, inside)
    alpha = graph.op("Div", most, _number(graph, problem.width))
    ended, weights = _ended(graph, problem, now, alpha, inside)
    entering = graph.op("Not", graph.op("Or", now.turned, ended))
    here = graph.op("And", _is(graph, problem, place), entering)
    sign = graph.op("Sign", graph.op("GatherElements", now.left, place, axis=1))
    sign = _number(graph, 1) if problem.positive else sign
    inverse, pivot = _with_atom(graph, problem, now.inverse, place)
    poor = graph.op("And", entering, graph.op("Less", pivot, _number(graph, LEAST_PIVOT)))
    started = graph.op("Greater", now.count, _number(graph, 0))
    if problem.lasso:
        lost = _all(graph, "And", started, graph.op("Less", now.alpha, alpha), graph.op("Not", poor))
        ended = graph.op("Or", ended, lost)
    whole = graph.op("Unsqueeze", entering, graph.const([2], "int64"))
    signs = graph.op("Where", here, sign, now.signs)
    extended = replace(now, signs=signs, inverse=graph.op("Where", whole, inverse, now.inverse))
    moved = _moved(graph, problem, extended, most, alpha)
    left = graph.op("Where", graph.op("And", here, poor), _number(graph, 0), now.left)
    skipped, kept = replace(now, left=left), replace(now, weights=weights, done=ended)
    return _chosen(graph, [(ended, kept), (poor, skipped)], moved)


def _is(graph: GraphBuilder, problem: Problem, place: str) -> str:
    """Returns, as `[N, K]`, whether an atom is the one at `place`."""
    import numpy as np

    return graph.op("Equal", graph.const(np.arange(problem.atoms)[None]), place)


def _chosen(graph: GraphBuilder, cases: list[tuple[str, Path]], other: Path) -> Path:
    """Returns, row by row, the path of the first case that is true, else the other."""
    for holds, one in reversed(cases):
        pairs = ((name, getattr(one, name), value) for name, value in vars(other).items())
        other = Path(**{name: a if a == b else _one_of(graph, name, holds, a, b) for name, a, b in pairs})
    return other


def _one_of(graph: GraphBuilder, name: str, holds: str, a: str, b: str) -> str:
    if name in ("turned", "done"):  # `Where` has no kernel for booleans
        kept = graph.op("And", graph.op("Not", holds), b)
        return graph.op("Or", graph.op("And", holds, a), kept)
    whole = graph.op("Unsqueeze", holds, graph.const([2], "int64")) if name == "inverse" else holds
    return graph.op("Where", whole, a, b)


def _likeliest(graph: GraphBuilder, problem: Problem, now: Path, inside: str) -> tuple[str, str]:
    """Returns the inactive atom with the largest product with the residual, and the product; 0 if all are active."""
    size = now.left if problem.positive else graph.op("Abs", now.left)
    size = graph.op("Where", inside, _number(graph, -HUGE), size)
    place = graph.op("ArgMax", size, axis=1, keepdims=1)
    most = graph.op("GatherElements", size, place, axis=1)
    full = graph.op("GatherElements", inside, place, axis=1)
    return place, graph.op("Where", full, _number(graph, 0), most)


def _ended(graph: GraphBuilder, problem: Problem, now: Path, alpha: str, inside: str) -> tuple[str, str]:
    """Returns which rows are at the end, and the target alpha's weights there, between the last two steps."""
    started = graph.op("Greater", now.count, _number(graph, 0))
    early = graph.op("LessOrEqual", alpha, _number(graph, problem.alpha + EQUAL))
    beyond = graph.op("Abs", graph.op("Sub", alpha, _number(graph, problem.alpha)))
    between = _all(graph, "And", early, started, graph.op("Greater", beyond, _number(graph, EQUAL)))
    between = graph.op("And", between, graph.op("Not", now.done))
    whole = graph.op("Sub", now.alpha, alpha)
    share = graph.op("Div", graph.op("Sub", now.alpha, _number(graph, problem.alpha)), whole)
    part = graph.op("Mul", share, graph.op("Sub", now.weights, now.before))
    weights = graph.op("Where", between, graph.op("Add", now.before, part), now.weights)
    full = graph.op("GreaterOrEqual", _sum(graph, scores.as_real(graph, inside)), _number(graph, problem.atoms))
    out = graph.op("GreaterOrEqual", now.count, _number(graph, problem.steps))
    return _all(graph, "Or", now.done, early, full, out), weights


def _with_atom(graph: GraphBuilder, problem: Problem, inverse: str, place: str) -> tuple[str, str]:
    """Returns the inverse with another atom, and its pivot in the Cholesky factor."""
    flat = graph.op("Squeeze", place, graph.const([1], "int64"))
    line = graph.op("Gather", graph.const(problem.gram), flat, axis=0)
    own = graph.op("GatherElements", line, place, axis=1)
    inner = _times(graph, inverse, line)
    rest = graph.op("Abs", graph.op("Sub", own, _sum(graph, graph.op("Mul", line, inner))))
    pivot = graph.op("Max", graph.op("Sqrt", rest), _number(graph, 2.220446049250313e-16))
    unit = scores.as_real(graph, _is(graph, problem, place))
    edge = graph.op("Div", graph.op("Sub", unit, inner), pivot)
    return graph.op("Add", inverse, _outer(graph, edge)), pivot


def _times(graph: GraphBuilder, matrices: str, vectors: str) -> str:
    wide = graph.op("Unsqueeze", vectors, graph.const([1], "int64"))
    return graph.op("ReduceSum", graph.op("Mul", matrices, wide), graph.const([2], "int64"), keepdims=0)


def _outer(graph: GraphBuilder, vectors: str) -> str:
    tall, wide = (graph.op("Unsqueeze", vectors, graph.const([axis], "int64")) for axis in (2, 1))
    return graph.op("Mul", tall, wide)


def _least_positive(graph: GraphBuilder, value: str, among: str) -> str:
    """Returns, as `[N, K]`, the values to compare, all others huge."""
    counts = graph.op("And", among, graph.op("Greater", value, _number(graph, 0)))
    return graph.op("Where", counts, value, _number(graph, HUGE))


def _least(graph: GraphBuilder, value: str) -> str:
    return graph.op("ReduceMin", value, graph.const([1], "int64"), keepdims=1)


def _moved(graph: GraphBuilder, problem: Problem, now: Path, most: str, alpha: str) -> Path:
    """Moves the active weights together until an inactive atom is as correlated, or a weight reaches 0."""
    inside = graph.op("Not", graph.op("Equal", now.signs, _number(graph, 0)))
    outside = graph.op("Not", inside)
    line = _times(graph, now.inverse, now.signs)
    scale = graph.op("Div", _number(graph, 1), graph.op("Sqrt", _sum(graph, graph.op("Mul", line, now.signs))))
    line = graph.op("Mul", line, scale)
    along = graph.op("Gemm", line, graph.const(problem.gram))
    far = graph.op("Div", most, scale)
    for near, slope in (("Sub", "Sub"),) if problem.positive else (("Sub", "Sub"), ("Add", "Add")):
        below = graph.op("Add", graph.op(slope, scale, along), _number(graph, TINY))
        reached = graph.op("Div", graph.op(near, most, now.left), below)
        far = graph.op("Min", far, _least(graph, _least_positive(graph, reached, outside)))
    crossing = graph.op("Div", graph.op("Neg", now.weights), graph.op("Add", line, _number(graph, TINY)))
    crossing = _least_positive(graph, crossing, inside)
    first = _least(graph, crossing)
    turned = graph.op("Less", first, far)
    gone = graph.op("And", turned, _is(graph, problem, graph.op("ArgMin", crossing, axis=1, keepdims=1)))
    step = graph.op("Where", turned, first, far) if problem.lasso else far
    there = graph.op("Add", now.weights, graph.op("Mul", step, line))
    weights = graph.op("Where", inside, there, _number(graph, 0))
    left = graph.op("Where", outside, graph.op("Sub", now.left, graph.op("Mul", step, along)), now.left)
    signs = graph.op("Where", gone, graph.op("Neg", now.signs), now.signs)
    inverse = now.inverse
    if problem.lasso:
        signs = graph.op("Where", gone, _number(graph, 0), now.signs)
        rest = graph.op("Sub", problem.likeness, graph.op("Gemm", weights, graph.const(problem.gram)))
        left = graph.op("Where", gone, rest, left)
        inverse = _without(graph, now.inverse, gone)
    count = graph.op("Add", now.count, _number(graph, 1))
    return Path(weights, now.weights, left, signs, inverse, alpha, count, turned, now.done)


def _without(graph: GraphBuilder, inverse: str, gone: str) -> str:
    """Returns the inverse without the atom that is flagged in a row; unchanged in rows that flag none."""
    unit = scores.as_real(graph, gone)
    column = _times(graph, inverse, unit)
    own = _sum(graph, graph.op("Mul", column, unit))
    none = graph.op("Equal", own, _number(graph, 0))
    edge = graph.op("Div", column, graph.op("Sqrt", graph.op("Where", none, _number(graph, 1), own)))
    cross = graph.op("Or", *(graph.op("Unsqueeze", gone, graph.const([axis], "int64")) for axis in (2, 1)))
    return graph.op("Where", cross, graph.const(0.0), graph.op("Sub", inverse, _outer(graph, edge)))
