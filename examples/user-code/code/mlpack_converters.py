"""Graphs of classes without a method `to_onnx_graph`."""

from __future__ import annotations

from typing import Any


def nearest_mean(fitted: Any, graph: Any, frame: Any) -> Any:
    """The probabilities of `wine_steps.NearestMean`; the label is the largest one's."""
    x = graph.matrix(frame)
    rows = graph.op("Unsqueeze", x.name, graph.const([1], "int64"))
    apart = graph.op("Sub", rows, graph.const([fitted.means_]))
    away = graph.op("ReduceSum", graph.op("Mul", apart, apart), graph.const([2], "int64"), keepdims=0)
    return {"probabilities": graph.op("Softmax", graph.op("Neg", away), axis=1)}


STEPS = {"wine_steps.NearestMean": nearest_mean}
