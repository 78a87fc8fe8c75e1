"""Resizing by areas: each new pixel is the mean of what it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...spec import Unsupported
from .build import Nodes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def area(graph: Any, node: Any, name: str, args: Any) -> None:
    """One axis after the other, by taking the covered pixels and adding them with their shares."""
    nodes = Nodes(graph, node)
    shape = nodes.static(0)
    if shape is None or min(shape[1:3]) < 0 or not node.inputs[1].is_const():
        raise Unsupported(
            "no ONNX operator computes ResizeArea of pictures whose sizes are free: give the input its height and "
            "width, or resize with interpolation='bilinear'"
        )
    target = [int(size) for size in node.inputs[1].get_tensor_value(as_list=True)]
    pixels = nodes.inputs[0] if nodes.numpy(0) == "float32" else nodes.cast(nodes.inputs[0], "float32")
    for axis, (before, after) in enumerate(zip(shape[1:3], target), start=1):
        pixels = _resized(nodes, pixels, axis, *shares(int(before), after))
    nodes.become(pixels)


def shares(before: int, after: int) -> tuple[Array, Array]:
    """For each new pixel the old ones that it covers, and their shares; none of them 0, for an infinite one."""
    import numpy as np

    scale = before / after
    covered = []
    for place in range(after):
        begin, end = place * scale, (place + 1) * scale
        inside = range(int(begin), min(before, max(int(np.ceil(end - 1e-6)), int(begin) + 1)))
        covered.append([(i, (min(i + 1, end) - max(i, begin)) / scale) for i in inside])
    width = max(len(each) for each in covered)
    for each in covered:
        last, share = each.pop()
        more = width - len(each)
        each += [(last, share / more)] * more
    places = np.array([[i for i, _ in each] for each in covered], np.int64)
    return places, np.array([[share for _, share in each] for each in covered], np.float32)


def _resized(nodes: Nodes, pixels: str, axis: int, places: Array, weights: Array) -> str:
    shape = [1, 1, 1, 1]
    shape[axis] = len(places)
    found = ""
    for tap in range(places.shape[1]):
        taken = nodes.op("Gather", pixels, nodes.const(places[:, tap], "int64"), axis=axis)
        part = nodes.op("Mul", taken, nodes.const(weights[:, tap].reshape(shape), "float32"))
        found = nodes.op("Add", found, part) if found else part
    return found


HANDLERS = {"ResizeArea": area}
