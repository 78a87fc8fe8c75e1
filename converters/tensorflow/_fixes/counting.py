"""Counts of whole numbers, row by row."""

from __future__ import annotations

from typing import Any

from ...spec import Unsupported
from .build import Nodes


def bincount(graph: Any, node: Any, name: str, args: Any) -> None:
    """How often each number below `size` is in each row (or whether); numbers from `size` on are left out."""
    nodes = Nodes(graph, node)
    weights = nodes.static(2)
    if weights is None or list(weights) != [0]:
        raise Unsupported("no ONNX operator computes DenseBincount with weights: multiply tf.one_hot with them")
    numbers, zero, one = nodes.cast(nodes.inputs[0], "int64"), nodes.const([0], "int64"), nodes.const([1], "int64")
    sizes = nodes.op("Shape", numbers)
    before = nodes.op("Slice", sizes, zero, nodes.const([-1], "int64"))
    last = nodes.op("Slice", sizes, nodes.const([-1], "int64"), nodes.const([1 << 30], "int64"))
    count = nodes.op("ReduceProd", before, keepdims=1)
    rows = nodes.op("Reshape", numbers, nodes.op("Concat", count, last, one, axis=0), allowzero=1)
    size = nodes.op("Reshape", nodes.cast(nodes.inputs[1], "int64"), nodes.const([], "int64"))
    every = nodes.op("Range", nodes.const(0, "int64"), size, nodes.const(1, "int64"))
    join = "ReduceMax" if nodes.flag("binary_output") else "ReduceSum"
    found = nodes.op(join, nodes.cast(nodes.op("Equal", rows, every), "float32"), one, keepdims=0)
    wide = nodes.op("Concat", before, nodes.op("Reshape", size, one), axis=0)
    nodes.become(nodes.cast(nodes.op("Reshape", found, wide, allowzero=1), nodes.numpy(2)))


def one_hot(graph: Any, node: Any, name: str, args: Any) -> None:
    """A row of `off` with one `on`; without one for a number outside, where ONNX counts back from the end."""
    nodes = Nodes(graph, node)
    numbers, depth, on, off = nodes.inputs
    every = nodes.op("Reshape", nodes.cast(depth, "int64"), nodes.const([], "int64"))
    every = nodes.op("Range", nodes.const(0, "int64"), every, nodes.const(1, "int64"))
    wide = nodes.op("Unsqueeze", nodes.cast(numbers, "int64"), nodes.const([-1], "int64"))
    found = nodes.op("Where", nodes.op("Equal", wide, every), on, off)
    axis, shape = int(node.get_attr("axis").i if node.get_attr("axis") else -1), nodes.static(0)
    if axis not in (-1, None if shape is None else len(shape)):
        if shape is None:
            raise Unsupported("no ONNX operator computes OneHot along an axis of a tensor whose rank is not known")
        order = list(range(len(shape)))
        order.insert(axis, len(shape))
        found = nodes.op("Transpose", found, perm=order)
    nodes.become(found)


HANDLERS = {"DenseBincount": bincount, "OneHot": one_hot}
