"""Sums, products and extremes of segments, in which an empty segment has a value of its own."""

from __future__ import annotations

from typing import Any, Callable

from .build import Nodes

_JOINS = {"Sum": "add", "Prod": "mul", "Max": "max", "Min": "min"}


def _empty(join: str, dtype: str) -> Any:
    """What a segment without numbers is."""
    import numpy as np

    if join in ("add", "mul"):
        return 0 if join == "add" else 1
    bounds = np.finfo(dtype) if "float" in dtype else np.iinfo(dtype)
    return bounds.min if join == "max" else bounds.max


def _unsorted(join: str) -> Callable[[Any, Any, str, Any], None]:
    def translate(graph: Any, node: Any, name: str, args: Any) -> None:
        """Rows of a negative segment are dropped; of one beyond the last they stop the graph."""
        nodes = Nodes(graph, node)
        dtype = nodes.numpy(0)
        data, ids = _in_rows(nodes)
        count = nodes.cast(nodes.op("Reshape", nodes.inputs[2], nodes.const([1], "int64")), "int64")
        one, zero = nodes.const([1], "int64"), nodes.const([0], "int64")
        spare = nodes.op("Add", count, one)
        beyond = nodes.op("Where", nodes.op("Less", ids, count), ids, nodes.op("Add", spare, one))
        safe = nodes.op("Where", nodes.op("Less", ids, zero), count, beyond)
        sizes = nodes.op("Shape", data)
        inner = nodes.op("Slice", sizes, one, nodes.const([1 << 30], "int64"), zero)
        base = nodes.op("Expand", nodes.const(_empty(join, dtype), dtype), nodes.op("Concat", spare, inner, axis=0))
        ones = nodes.op(
            "Concat", nodes.const([-1], "int64"), nodes.op("Add", nodes.op("Mul", inner, zero), one), axis=0
        )
        places = nodes.op("Expand", nodes.op("Reshape", safe, ones), sizes)
        joined = nodes.op("ScatterElements", base, places, data, axis=0, reduction=join)
        nodes.become(nodes.op("Slice", joined, zero, count, zero))

    return translate


def _in_rows(nodes: Nodes) -> tuple[str, str]:
    """Data and segments with the axes of the segments made one."""
    shape = nodes.static(1)
    rank = 1 if shape is None else len(shape)
    ids = nodes.cast(nodes.inputs[1], "int64")
    if rank == 1:
        return nodes.inputs[0], ids
    minus = nodes.const([-1], "int64")
    sizes = nodes.op("Shape", nodes.inputs[0])
    inner = nodes.op("Slice", sizes, nodes.const([rank], "int64"), nodes.const([1 << 30], "int64"))
    data = nodes.op("Reshape", nodes.inputs[0], nodes.op("Concat", minus, inner, axis=0))
    return data, nodes.op("Reshape", ids, minus)


HANDLERS = {f"UnsortedSegment{kind}": _unsorted(join) for kind, join in _JOINS.items()}
