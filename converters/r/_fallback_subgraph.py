"""Recomputes flagged rows with a slower, exact subgraph."""

from __future__ import annotations

from collections.abc import Callable

from .._graph.builder import GraphBuilder, Value

BOOL, INT32 = 9, 6


def again(graph: GraphBuilder, x: Value, flag: str, answer: str, slower: Callable[[Value], str]) -> str:
    """Returns `answer` `[N, width]`, with rows whose `flag` `[N]` is true replaced by `slower` of those rows of `x`."""
    rows = graph.op("Reshape", graph.op("NonZero", flag), graph.const([-1], "int64"))
    some = Value(graph.op("Gather", x.name, rows, axis=0), x.dtype, x.width)
    places = graph.op("Unsqueeze", rows, graph.const([1], "int64"))
    return graph.op("ScatterND", answer, places, slower(some))


def rows_missing(graph: GraphBuilder, x: Value) -> str:
    """Returns whether any number of a row is NaN, `bool [N]`."""
    gone = graph.op("Cast", graph.op("IsNaN", x.name), to=INT32)
    return graph.op("Cast", graph.op("ReduceMax", gone, graph.const([1], "int64"), keepdims=0), to=BOOL)
