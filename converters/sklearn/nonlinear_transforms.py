"""Transformers that bend a column or multiply columns: powers, bins, polynomials, splines."""

from __future__ import annotations

from itertools import combinations
from itertools import combinations_with_replacement as with_replacement
from math import factorial
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._lookup import transform
from .._steps.step import Answer, Step, Thresholds
from ..spec import Unsupported
from ._outputs import at_least, block


def power(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The power transform of each column by its own `lambdas_`, then the scaler where asked."""
    x = graph.matrix(frame)
    bend = _box_cox if fitted.method == "box-cox" else _yeo_johnson
    bent = (Value(bend(fitted.lambdas_, x.name, graph), graph.real, x.width),)
    return Answer(transformed=transform(fitted._scaler, bent, graph) if fitted.standardize else bent)


def _power_bounds(fitted: Any) -> Thresholds:
    """Box-Cox takes positive numbers only."""
    return [[0.0] if fitted.method == "box-cox" else [] for _ in fitted.lambdas_]


def _box_cox(lambdas: Any, x: str, graph: GraphBuilder) -> str:
    log = graph.op("Log", x)
    return _expm1_over(graph.const([lambdas]), log, bool((abs(lambdas) < 1e-19).any()), graph)


def _yeo_johnson(lambdas: Any, x: str, graph: GraphBuilder) -> str:
    """One formula for both halves: on |x| with lambda or 2 - lambda, then the sign of the half."""
    positive = graph.op("GreaterOrEqual", x, graph.const(0.0))
    exponent = graph.op("Where", positive, graph.const([lambdas]), graph.const([2 - lambdas]))
    degenerate = bool(((abs(lambdas) < 1e-15) | (abs(lambdas - 2) < 1e-15)).any())
    bent = _expm1_over(exponent, _log1p(graph.op("Abs", x), graph), degenerate, graph)
    return graph.op("Where", positive, bent, graph.op("Neg", bent))


def _expm1_over(exponent: str, log: str, degenerate: bool, graph: GraphBuilder) -> str:
    """`(exp(exponent * log) - 1) / exponent`, which is `log` where the exponent is zero."""
    bent = graph.op("Div", _expm1(graph.op("Mul", exponent, log), graph), exponent)
    if not degenerate:
        return bent
    is_zero = graph.op("Less", graph.op("Abs", exponent), graph.const(1e-15))
    return graph.op("Where", is_zero, log, bent)


def _log1p(x: str, graph: GraphBuilder) -> str:
    """log(1 + x) without the loss of digits for a small x (Kahan's way)."""
    one = graph.const(1.0)
    whole = graph.op("Add", x, one)
    kept = graph.op("Sub", whole, one)
    exact = graph.op("Div", graph.op("Mul", graph.op("Log", whole), x), kept)
    return graph.op("Where", graph.op("Equal", kept, graph.const(0.0)), x, exact)


def _expm1(x: str, graph: GraphBuilder) -> str:
    """exp(x) - 1 without the loss of digits for a small x (Kahan's way)."""
    one = graph.const(1.0)
    whole = graph.op("Exp", x)
    plain = graph.op("Sub", whole, one)
    exact = graph.op("Div", graph.op("Mul", plain, x), graph.op("Log", whole))
    small = graph.op("Where", graph.op("Equal", whole, one), x, exact)
    return graph.op("Where", graph.op("Less", graph.op("Abs", x), graph.const(0.5)), small, plain)


def bins(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The bin that each value falls in, as a number or as one column per bin."""
    import numpy as np

    x = graph.matrix(frame)
    if fitted.dtype == np.float32:
        x = graph.cast(graph.cast(x, "float32"), graph.real)
    inner = [np.asarray(edges[1:-1], float) for edges in fitted.bin_edges_]
    limits = np.full((len(inner), max(1, *map(len, inner))), np.inf)
    for row, edges in zip(limits, inner):
        row[: len(edges)] = edges
    wide = graph.op("Unsqueeze", x.name, graph.const([2], "int64"))
    reached = graph.op("GreaterOrEqual", wide, at_least(limits, graph))
    ones = graph.cast(Value(reached, "bool"), graph.real).name
    which = graph.op("ReduceSum", ones, graph.const([2], "int64"), keepdims=0)
    if fitted.encode == "ordinal":
        return block(which, x.width, graph)
    return _one_hot_bins(which, [len(edges) + 1 for edges in inner], graph)


def _one_hot_bins(which: str, counts: list[int], graph: GraphBuilder) -> Answer:
    owner = [column for column, count in enumerate(counts) for _ in range(count)]
    own = [float(bin_) for count in counts for bin_ in range(count)]
    spread = graph.op("Gather", which, graph.const(owner, "int64"), axis=1)
    hit = graph.op("Equal", spread, graph.const([own]))
    return block(graph.cast(Value(hit, "bool"), graph.real).name, len(own), graph)


def _bins_thresholds(fitted: Any) -> Thresholds:
    return [[float(edge) for edge in edges[1:-1]] for edges in fitted.bin_edges_]


def polynomial(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The products of columns in scikit-learn's order, each made of the one with a factor less."""
    x = graph.matrix(frame)
    least, most = fitted._min_degree, fitted._max_degree
    made: dict[tuple[int, ...], int] = {(i,): i for i in range(x.width)}
    names, last = {1: x.name}, x.name
    for degree in range(2, most + 1):
        wanted = _products(x.width, degree, fitted.interaction_only)
        if not wanted:
            break
        # scikit-learn multiplies a product that ends in the later columns by the first column, in this order
        rest = graph.op("Gather", last, graph.const([made[p[1:]] for p in wanted], "int64"), axis=1)
        factor = graph.op("Gather", x.name, graph.const([p[0] for p in wanted], "int64"), axis=1)
        last = names[degree] = graph.op("Mul", rest, factor)
        made = {p: i for i, p in enumerate(wanted)}
    parts = [names[d] for d in range(max(1, least), most + 1) if d in names]
    if fitted.include_bias:
        parts.insert(0, _ones(x.name, graph))
    whole = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)
    return block(whole, int(fitted.n_output_features_), graph)


def _products(width: int, degree: int, distinct: bool) -> list[tuple[int, ...]]:
    return list((combinations if distinct else with_replacement)(range(width), degree))


def _ones(x: str, graph: GraphBuilder) -> str:
    """A column of ones, as long as the batch."""
    rows = graph.op("Shape", x, start=0, end=1)
    shape = graph.op("Concat", rows, graph.const([1], "int64"), axis=0)
    return graph.op("Expand", graph.const([[1.0]]), shape)


def spline(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The B-spline basis of each column: the polynomial piece that the value falls in, by Horner's rule."""
    if fitted.degree == 0:
        raise Unsupported("SplineTransformer(degree=0): outside the knots scikit-learn has no defined answer")
    columns = graph.columns((graph.matrix(frame),))
    parts = [_spline_column(fitted, i, column.name, graph) for i, column in enumerate(columns)]
    whole = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)
    return block(whole, int(fitted.n_features_out_), graph)


def _spline_column(fitted: Any, position: int, x: str, graph: GraphBuilder) -> str:
    curve = fitted.bsplines_[position]
    # scikit-learn counts its degree up from 1 to 2 at the first column of a linear extrapolation, for all that follow
    counted_up = fitted.extrapolation == "linear" and fitted.degree == 1
    edge = 2 if counted_up and position > 0 else fitted.degree
    low, high = float(curve.t[edge]), float(curve.t[-edge - 1])
    keep = curve.c.shape[1] - (0 if fitted.include_bias else 1)
    inside = _into_range(fitted.extrapolation, x, low, high, graph)
    basis = _pieces(curve, inside, low, high, keep, graph)
    if fitted.extrapolation == "linear":
        slopes = _end_slopes(curve, low, high, max(2, fitted.degree))
        basis = graph.op("Add", basis, _tails(x, inside, low, [s[:keep] for s in slopes], graph))
    if getattr(fitted, "handle_missing", "error") == "zeros":
        basis = graph.op("Where", graph.op("IsNaN", x), graph.const(0.0), basis)
    return basis


def _end_slopes(curve: Any, low: float, high: float, reach: int) -> tuple[Any, Any]:
    """The slopes that scikit-learn extends: of the first functions below, of the last ones above."""
    below, above = curve(low, nu=1).copy(), curve(high, nu=1).copy()
    below[reach:] = 0
    above[:-reach] = 0
    return below, above


def _into_range(rule: str, x: str, low: float, high: float, graph: GraphBuilder) -> str:
    """Where to evaluate: the value itself, the nearest end, or the value within the period."""
    least, most = graph.const(low), graph.const(high)
    if rule == "continue":
        return x
    if rule == "periodic":
        period = graph.const(high - low)
        rest = graph.op("Mod", graph.op("Sub", x, least), period, fmod=1)
        negative = graph.op("Less", rest, graph.const(0.0))
        return graph.op("Add", graph.op("Where", negative, graph.op("Add", rest, period), rest), least)
    up = graph.op("Where", graph.op("Less", x, least), least, x)
    return graph.op("Where", graph.op("Greater", up, most), most, up)


def _pieces(curve: Any, x: str, low: float, high: float, keep: int, graph: GraphBuilder) -> str:
    """Every basis function at `x`: its Taylor polynomial at the knot below, which is the piece itself."""
    import numpy as np

    starts = np.unique(curve.t[(low <= curve.t) & (curve.t < high)])
    last = graph.const([1], "int64")
    reached = graph.op("GreaterOrEqual", x, at_least(starts[None, 1:], graph))
    ones = graph.cast(Value(reached, "bool"), "int64").name
    which = graph.op("ReduceSum", ones, last, keepdims=0)
    away = graph.op("Sub", x, graph.op("Unsqueeze", graph.op("Gather", graph.const(starts), which), last))
    result = ""
    for order in range(curve.k, -1, -1):
        table = np.ascontiguousarray(curve(starts, nu=order)[:, :keep]) / factorial(order)
        part = graph.op("Gather", graph.const(table), which)
        result = graph.op("Add", graph.op("Mul", result, away), part) if result else part
    return result


def _tails(x: str, inside: str, low: float, slopes: list[Any], graph: GraphBuilder) -> str:
    """What the straight line adds beyond either end: nothing within."""
    beyond = graph.op("Sub", x, inside)
    below = graph.op("Less", x, graph.const(low))
    return graph.op("Mul", beyond, graph.op("Where", below, *(graph.const([s]) for s in slopes)))


STEPS = {
    "PowerTransformer": Step(power, bounds=_power_bounds),
    "KBinsDiscretizer": Step(bins, thresholds=_bins_thresholds, sparse=lambda fitted, given: fitted.encode == "onehot"),
    "PolynomialFeatures": Step(polynomial, sparse=lambda fitted, given: given),
    "SplineTransformer": Step(spline, sparse=lambda fitted, given: bool(getattr(fitted, "sparse_output", False))),
}
