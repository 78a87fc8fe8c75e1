"""Interpolation among the quantiles of a column, and its inverse."""

from __future__ import annotations

from typing import Any

from .._graph.builder import GraphBuilder, Value
from .._graph.erf import normal_cdf
from ..spec import Unsupported

BOUND = 1e-7
"""A value within this distance of an end of its column is treated as that end."""
_BUCKET = 32


def interpolate(x: str, knots: Any, references: Any, reached: str, graph: GraphBuilder) -> str:
    """`fp + slope * (x - xp)` as numpy computes it; with `Less`, the first of repeated knots is used."""
    import numpy as np

    rise, run = np.diff(references), np.diff(knots)
    slope = np.divide(rise, run, out=np.zeros_like(run), where=run > 0)
    flat = np.zeros((len(knots), 1))
    slopes = np.hstack([flat, slope, flat])
    heights = np.broadcast_to(references, knots.shape)
    # numpy uses the first knot below the range, and the last one above it
    before, after = (1, 0) if reached == "LessOrEqual" else (0, 1)
    xp, fp = (np.pad(t, ((0, 0), (before, after)), mode="edge") for t in (knots, heights))
    place = _place(x, knots, reached, graph)
    at, base, by = (graph.op("Gather", graph.const(np.ascontiguousarray(t).ravel()), place) for t in (xp, fp, slopes))
    return graph.op("Add", graph.op("Mul", by, graph.op("Sub", x, at)), base)


def _place(x: str, knots: Any, reached: str, graph: GraphBuilder) -> str:
    """Counts the knots of its column that each value has reached, plus the column's offset; by bucket, then within."""
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


def unranked(fitted: Any, value: str, graph: GraphBuilder) -> str:
    """Returns the inverse, `[N, T]`: the number at a position among the quantiles."""
    import numpy as np

    normal = fitted.output_distribution == "normal"
    if normal and graph.real == "float32":
        raise Unsupported("QuantileTransformer(output_distribution='normal') needs float64: its tails are steep")
    share = normal_cdf(graph, value) if normal else value
    heights = fitted.quantiles_.T
    places = np.tile(np.asarray(fitted.references_, float), (len(heights), 1))
    found = interpolate(share, places, heights, "LessOrEqual", graph)
    slack = graph.const(BOUND if normal else 0.0)
    above = graph.op("Greater" if normal else "Equal", graph.op("Add", share, slack), graph.const(1.0))
    below = graph.op("Less" if normal else "Equal", graph.op("Sub", share, slack), graph.const(0.0))
    found = graph.op("Where", above, graph.const(heights[None, :, -1]), found)
    return graph.op("Where", below, graph.const(heights[None, :, 0]), found)
