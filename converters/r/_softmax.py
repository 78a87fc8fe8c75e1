"""Softmax: class probabilities from logarithmic scores."""

from __future__ import annotations

from .._graph.builder import GraphBuilder


def shares(graph: GraphBuilder, scores: str) -> str:
    """Divides `exp` of each score `[N, C]` by its row's sum; a row with a NaN or without a finite maximum is NaN."""
    row = graph.const([1], "int64")
    most = graph.op("ReduceMax", scores, row, keepdims=1)
    size = graph.op("Exp", graph.op("Sub", scores, most))
    return graph.op("Div", size, graph.op("ReduceSum", size, row, keepdims=1))


def two_classes(graph: GraphBuilder, second: str) -> str:
    """Returns the probabilities of both classes `[N, 2]` from that of the second, `[N, 1]`."""
    return graph.op("Concat", graph.op("Sub", graph.const([[1.0]]), second), second, axis=1)
