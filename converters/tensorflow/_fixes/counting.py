"""Counts of whole numbers, row by row."""

from __future__ import annotations

from typing import Any

from ...spec import Unsupported
from .build import Nodes


def bincount(graph: Any, node: Any, name: str, args: Any) -> None:
    """How often each number below `size` is in each row (or whether); numbers from `size` on are left out."""
    nodes = Nodes(graph, node)
    shape, weights = nodes.static(0), nodes.static(2)
    if shape is None or len(shape) not in (1, 2) or weights is None or list(weights) != [0]:
        raise Unsupported("no ONNX operator computes DenseBincount with weights: multiply tf.one_hot with them")
    size = nodes.op("Reshape", nodes.cast(nodes.inputs[1], "int64"), nodes.const([], "int64"))
    rows = nodes.cast(nodes.inputs[0], "int64")
    if len(shape) == 1:
        rows = nodes.op("Unsqueeze", rows, nodes.const([0], "int64"))
    every = nodes.op("Range", nodes.const(0, "int64"), size, nodes.const(1, "int64"))
    same = nodes.op("Equal", nodes.op("Unsqueeze", rows, nodes.const([2], "int64")), every)
    join = "ReduceMax" if nodes.flag("binary_output") else "ReduceSum"
    found = nodes.op(join, nodes.cast(same, "float32"), nodes.const([1], "int64"), keepdims=0)
    if len(shape) == 1:
        found = nodes.op("Squeeze", found, nodes.const([0], "int64"))
    nodes.become(nodes.cast(found, nodes.numpy(2)))


HANDLERS = {"DenseBincount": bincount}
