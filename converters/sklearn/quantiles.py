"""QuantileTransformer: a column's place among the quantiles of the fit."""

from __future__ import annotations

from typing import Any

from .._erf import normal_cdf
from .._graph import Frame, GraphBuilder, Value
from .._steps import Answer, Step, Thresholds, as_given
from ..spec import Unsupported
from ._blocks import block

_BOUND = 1e-7
_BUCKET = 32

# The normal distribution's inverse, algorithm AS 241 of Wichura: exact to the last digits of a double.
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
    """The mean of the interpolations from below and from above, as `uniform` or as a `normal` score."""
    normal = fitted.output_distribution == "normal"
    if normal and graph.real == "float32":
        raise Unsupported("QuantileTransformer(output_distribution='normal') needs float64: its tails are steep")
    x = graph.matrix(frame)
    knots = fitted.quantiles_.T
    below = _interpolate(x.name, knots, fitted.references_, "LessOrEqual", graph)
    above = _interpolate(x.name, knots, fitted.references_, "Less", graph)
    share = graph.op("Mul", graph.const(0.5), graph.op("Add", below, above))
    share = _ends(x.name, share, knots, normal, graph)
    score = _normal_score(share, graph) if normal else share
    if x.held is None:
        return block(score, x.width, graph)
    held = graph.held(x)  # of a sparse matrix only the cells that it holds are changed
    inside = graph.op("Where", held, score, graph.const(0.0))
    return Answer(transformed=(Value(inside, graph.real, x.width, held=held),))


def unranked(fitted: Any, value: str, graph: GraphBuilder) -> str:
    """The inverse, `[N, T]`: the number that stands at a place among the quantiles."""
    import numpy as np

    normal = fitted.output_distribution == "normal"
    if normal and graph.real == "float32":
        raise Unsupported("QuantileTransformer(output_distribution='normal') needs float64: its tails are steep")
    share = normal_cdf(graph, value) if normal else value
    heights = fitted.quantiles_.T
    places = np.tile(np.asarray(fitted.references_, float), (len(heights), 1))
    found = _interpolate(share, places, heights, "LessOrEqual", graph)
    slack = graph.const(_BOUND if normal else 0.0)
    above = graph.op("Greater" if normal else "Equal", graph.op("Add", share, slack), graph.const(1.0))
    below = graph.op("Less" if normal else "Equal", graph.op("Sub", share, slack), graph.const(0.0))
    found = graph.op("Where", above, graph.const(heights[None, :, -1]), found)
    return graph.op("Where", below, graph.const(heights[None, :, 0]), found)


def _interpolate(x: str, knots: Any, references: Any, reached: str, graph: GraphBuilder) -> str:
    """`fp + slope * (x - xp)` as numpy computes it; `Less` looks from above: the first of repeated knots counts."""
    import numpy as np

    rise, run = np.diff(references), np.diff(knots)
    slope = np.divide(rise, run, out=np.zeros_like(run), where=run > 0)
    flat = np.zeros((len(knots), 1))
    slopes = np.hstack([flat, slope, flat])
    heights = np.broadcast_to(references, knots.shape)
    # numpy holds on to the first knot below the range and to the last one above it
    before, after = (1, 0) if reached == "LessOrEqual" else (0, 1)
    xp, fp = (np.pad(t, ((0, 0), (before, after)), mode="edge") for t in (knots, heights))
    place = _place(x, knots, reached, graph)
    at, base, by = (graph.op("Gather", graph.const(np.ascontiguousarray(t).ravel()), place) for t in (xp, fp, slopes))
    return graph.op("Add", graph.op("Mul", by, graph.op("Sub", x, at)), base)


def _place(x: str, knots: Any, reached: str, graph: GraphBuilder) -> str:
    """How many knots of its column each value has reached, plus the column's offset; first by bucket, then within."""
    import numpy as np

    width, count = knots.shape
    buckets = -(-count // _BUCKET)
    padded = np.full((width, buckets * _BUCKET), np.inf)
    padded[:, :count] = knots
    grid = padded.reshape(width * buckets, _BUCKET)
    wide = graph.op("Unsqueeze", x, graph.const([2], "int64"))
    starts = graph.const(np.ascontiguousarray(grid[:, 0].reshape(width, buckets)[:, 1:]))
    bucket = _count(reached, starts, wide, graph) if buckets > 1 else ""
    row = graph.const(np.arange(width)[None] * buckets, "int64")
    owner = graph.op("Add", bucket, row) if bucket else graph.op("Expand", row, graph.op("Shape", x))
    within = _count(reached, graph.op("Gather", graph.const(grid), owner), wide, graph)
    offset = graph.const(np.arange(width)[None] * (count + 1), "int64")
    place = graph.op("Add", within, offset)
    return graph.op("Add", place, graph.op("Mul", bucket, graph.const(_BUCKET, "int64"))) if bucket else place


def _count(reached: str, knots: str, wide: str, graph: GraphBuilder) -> str:
    hits = graph.cast(Value(graph.op(reached, knots, wide), "bool"), "int64").name
    return graph.op("ReduceSum", hits, graph.const([2], "int64"), keepdims=0)


def _ends(x: str, share: str, knots: Any, normal: bool, graph: GraphBuilder) -> str:
    """0 and 1 at the ends of the column's range; the lower end counts where both are one value."""
    low, high = graph.const(knots[None, :, 0]), graph.const(knots[None, :, -1])
    if normal:
        bound = graph.const(_BOUND)
        is_high = graph.op("Greater", graph.op("Add", x, bound), high)
        is_low = graph.op("Less", graph.op("Sub", x, bound), low)
    else:
        is_high, is_low = graph.op("Equal", x, high), graph.op("Equal", x, low)
    share = graph.op("Where", is_high, graph.const(1.0), share)
    return graph.op("Where", is_low, graph.const(0.0), share)


def _normal_score(share: str, graph: GraphBuilder) -> str:
    """The normal distribution's quantile of `share`, which is clipped as scikit-learn clips the score."""
    import numpy as np

    edge = _BOUND - float(np.spacing(1))
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
