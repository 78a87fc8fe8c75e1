"""QuantileTransformer: a column's position among the quantiles of the fit."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, Thresholds, as_given
from ..spec import Unsupported
from ._interpolation import BOUND, interpolate
from ._outputs import block

# The inverse normal distribution, algorithm AS 241 of Wichura: accurate to the last digits of a double.
# fmt: off
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)
_TAIL = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)
# fmt: on


def quantiles(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Averages the interpolations from below and from above, as a `uniform` or a `normal` score."""
    normal = fitted.output_distribution == "normal"
    if normal and graph.real == "float32":
        raise Unsupported("QuantileTransformer(output_distribution='normal') needs float64: its tails are steep")
    x = graph.matrix(frame)
    knots = fitted.quantiles_.T
    below = interpolate(x.name, knots, fitted.references_, "LessOrEqual", graph)
    above = interpolate(x.name, knots, fitted.references_, "Less", graph)
    share = graph.op("Mul", graph.const(0.5), graph.op("Add", below, above))
    share = _ends(x.name, share, knots, normal, graph)
    score = _normal_score(share, graph) if normal else share
    if x.held is None:
        return block(score, x.width, graph)
    held = graph.held(x)  # in a sparse matrix only the stored cells are changed
    inside = graph.op("Where", held, score, graph.const(0.0))
    return Answer(transformed=(Value(inside, graph.real, x.width, held=held),))


def _ends(x: str, share: str, knots: Any, normal: bool, graph: GraphBuilder) -> str:
    """Returns 0 and 1 at the ends of the column's range; the lower end applies where both are the same value."""
    low, high = graph.const(knots[None, :, 0]), graph.const(knots[None, :, -1])
    if normal:
        bound = graph.const(BOUND)
        is_high = graph.op("Greater", graph.op("Add", x, bound), high)
        is_low = graph.op("Less", graph.op("Sub", x, bound), low)
    else:
        is_high, is_low = graph.op("Equal", x, high), graph.op("Equal", x, low)
    share = graph.op("Where", is_high, graph.const(1.0), share)
    return graph.op("Where", is_low, graph.const(0.0), share)


def _normal_score(share: str, graph: GraphBuilder) -> str:
    """Returns the normal distribution's quantile of `share`, clipped as scikit-learn clips the score."""
    import numpy as np

    edge = BOUND - float(np.spacing(1))
    for test, limit in (("Less", edge), ("Greater", 1 - edge)):
        share = graph.op("Where", graph.op(test, share, graph.const(limit)), graph.const(limit), share)
    off = graph.op("Sub", share, graph.const(0.5))
    square = graph.op("Sub", graph.const(0.180625), graph.op("Mul", off, off))
    centre = graph.op("Mul", off, _ratio(square, _CENTRE, graph))
    tail = graph.op("Min", share, graph.op("Sub", graph.const(1.0), share))
    root = graph.op("Sqrt", graph.op("Neg", graph.op("Log", tail)))
    score = _ratio(graph.op("Sub", root, graph.const(1.6)), _TAIL, graph)
    signed = graph.op("Mul", graph.op("Sign", off), score)
    near = graph.op("LessOrEqual", graph.op("Abs", off), graph.const(0.425))
    return graph.op("Where", near, centre, signed)


def _ratio(r: str, polynomials: tuple[tuple[float, ...], tuple[float, ...]], graph: GraphBuilder) -> str:
    last = graph.const([2], "int64")
    powers = graph.op("Pow", graph.op("Unsqueeze", r, last), graph.const([float(i) for i in range(8)]))
    above, under = (
        graph.op("ReduceSum", graph.op("Mul", powers, graph.const(list(p))), last, keepdims=0) for p in polynomials
    )
    return graph.op("Div", above, under)


def _thresholds(fitted: Any) -> Thresholds:
    import numpy as np

    return [np.unique(column).tolist() for column in fitted.quantiles_.T]


STEPS = {"QuantileTransformer": Step(quantiles, thresholds=_thresholds, sparse=as_given)}
