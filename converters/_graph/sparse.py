"""Sparse matrices as coordinates and values, kept so for as long as the next step accepts them."""

from __future__ import annotations

from typing import Any

from .builder import GraphBuilder, Sparse


def dense(matrix: Sparse, graph: GraphBuilder) -> str:
    """Returns the dense matrix `[N, width]`."""
    width = graph.const([matrix.width], "int64")
    place = graph.op("Add", graph.op("Mul", matrix.rows, width), matrix.columns)
    blank = zeros(graph.op("Mul", matrix.height, width), graph.real, graph)
    flat = graph.op("ScatterElements", blank, place, matrix.values, axis=0)
    return _without_first(graph.op("Reshape", flat, graph.const([-1, matrix.width], "int64")), graph)


def times(matrix: Sparse, weights: Any, bias: Any, graph: GraphBuilder) -> str:
    """Returns the product with weights `[width, T]`, plus the bias `[T]`."""
    each = graph.op("Gather", graph.const(weights), matrix.columns, axis=0)
    each = graph.op("Mul", each, graph.op("Unsqueeze", matrix.values, graph.const([1], "int64")))
    shape = graph.op("Concat", matrix.height, graph.const([weights.shape[1]], "int64"), axis=0)
    where = graph.op("Unsqueeze", matrix.rows, graph.const([1], "int64"))
    summed = graph.op("ScatterND", zeros(shape, graph.real, graph), where, each, reduction="add")
    return graph.op("Add", _without_first(summed, graph), graph.const(bias.reshape(1, -1)))


def zeros(shape: str, dtype: str, graph: GraphBuilder) -> str:
    """Returns zeros of a shape that is a value of the graph."""
    import numpy as np
    from onnx import numpy_helper

    return graph.op("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1, dtype)))


def _without_first(rows: str, graph: GraphBuilder) -> str:
    return graph.op("Slice", rows, *(graph.const([n], "int64") for n in (1, 2**62, 0)))
