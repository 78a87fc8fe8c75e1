"""A classifier's label from its probabilities."""

from __future__ import annotations

from .._graph.builder import GraphBuilder


def index_of_largest(graph: GraphBuilder, probabilities: str, classes: int) -> str:
    """Returns the position of each row's maximum, the first among equals, `int64 [N]`; `classes` where one is NaN."""
    axis = graph.const([1], "int64")
    gone = graph.op("Cast", graph.op("IsNaN", probabilities), to=_INT32)
    none = graph.op("Cast", graph.op("ReduceMax", gone, axis, keepdims=0), to=_BOOL)
    safe = graph.op("Where", graph.op("IsNaN", probabilities), graph.const(0.0), probabilities)
    largest = graph.op("ArgMax", safe, axis=1, keepdims=0)
    return graph.op("Where", none, graph.const(classes, "int64"), largest)


_INT32, _BOOL = 6, 9
