"""Resizing of pictures as TensorFlow's kernels do it: also with a free batch, and where a pixel is NaN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

from ...spec import Unsupported
from .build import Nodes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

STEPS = 1 << 10
"""TensorFlow's cubic weights are read from a table of so many steps."""
KEYS = -0.5
Taps = Callable[[int, int], "tuple[Array, Array]"]
"""From both sizes of an axis to the old pixels of each new one, and their shares."""


def _fixed(taps: Taps, operator: str) -> Callable[[Any, Any, str, Any], None]:
    def translate(graph: Any, node: Any, name: str, args: Any) -> None:
        """One axis after the other, by taking the old pixels and adding them with their shares."""
        nodes = Nodes(graph, node)
        before, after = _sizes(nodes, operator)
        pixels = nodes.inputs[0] if nodes.numpy(0) == "float32" else nodes.cast(nodes.inputs[0], "float32")
        for axis in (1, 2):
            pixels = _added(nodes, pixels, axis, *taps(before[axis - 1], after[axis - 1]))
        nodes.become(pixels)

    return translate


def _sizes(nodes: Nodes, operator: str) -> tuple[Sequence[int], Sequence[int]]:
    """Height and width before and after."""
    shape, target = nodes.static(0), nodes.node.inputs[1]
    corners = [key for key in ("align_corners",) if nodes.flag(key)]
    if corners or (operator == "ResizeBicubic" and not nodes.flag("half_pixel_centers")):
        raise Unsupported(f"no ONNX operator computes {operator} as TensorFlow 1 placed pixels: use tf.image.resize")
    if shape is None or min(shape[1:3]) < 0 or not target.is_const():
        raise Unsupported(
            f"no ONNX operator computes {operator} of pictures whose sizes are free: give the input its height and "
            "width, or resize with interpolation='bilinear'"
        )
    return [int(size) for size in shape[1:3]], [int(size) for size in target.get_tensor_value(as_list=True)]


def areas(before: int, after: int) -> tuple[Array, Array]:
    """The pixels that each new one covers; no share is 0, for an infinite pixel."""
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


def cubes(before: int, after: int) -> tuple[Array, Array]:
    """Four pixels around each new one, with Keys's weights in TensorFlow's steps; outside there is nothing."""
    import numpy as np

    place = (np.arange(after, dtype=np.float32) + np.float32(0.5)) * np.float32(before / after) - np.float32(0.5)
    left = np.floor(place)
    step = np.rint((place - left) * STEPS) / STEPS

    def inner(x: Array) -> Array:
        return ((KEYS + 2) * x - (KEYS + 3)) * x * x + 1

    def outer(x: Array) -> Array:
        return ((KEYS * x - 5 * KEYS) * x + 8 * KEYS) * x - 4 * KEYS

    weights = np.stack([outer(step + 1), inner(step), inner(1 - step), outer(2 - step)], 1)
    wanted = left[:, None].astype(np.int64) + np.arange(-1, 3)
    places = wanted.clip(0, before - 1)
    weights = np.where(places == wanted, weights, 0)
    return places, (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _added(nodes: Nodes, pixels: str, axis: int, places: Array, weights: Array) -> str:
    shape = [1, 1, 1, 1]
    shape[axis] = len(places)
    found = ""
    for tap in range(places.shape[1]):
        taken = nodes.op("Gather", pixels, nodes.const(places[:, tap], "int64"), axis=axis)
        part = nodes.op("Mul", taken, nodes.const(weights[:, tap].reshape(shape), "float32"))
        found = nodes.op("Add", found, part) if found else part
    return found


def nearest(graph: Any, node: Any, name: str, args: Any) -> None:
    """The pixel under the middle of each new one, of any type."""
    from tf2onnx.onnx_opset.nn import Resize

    nodes = Nodes(graph, node)
    if nodes.flag("align_corners"):
        Resize.version_13(graph, node)
        return
    pixels = nodes.inputs[0]
    for axis in (1, 2):
        place, before = _places(nodes, axis, nodes.flag("half_pixel_centers"), 0.0)
        at = nodes.op("Min", nodes.cast(nodes.op("Floor", place), "int64"), nodes.op("Sub", before, _one(nodes)))
        pixels = nodes.op("Gather", pixels, at, axis=axis)
    nodes.become(pixels)


def bilinear(graph: Any, node: Any, name: str, args: Any) -> None:
    """Between the pixels to the left and right, then between those above and below."""
    from tf2onnx.onnx_opset.nn import Resize

    nodes = Nodes(graph, node)
    if nodes.flag("align_corners"):
        Resize.version_13(graph, node)
        return
    pixels = nodes.inputs[0] if nodes.numpy(0) == "float32" else nodes.cast(nodes.inputs[0], "float32")
    half = nodes.flag("half_pixel_centers")
    for axis in (2, 1):
        place, before = _places(nodes, axis, half, 0.5 if half else 0.0)
        below = nodes.op("Floor", place)
        least, most = nodes.const([0], "int64"), nodes.op("Sub", before, _one(nodes))
        low = nodes.op("Max", nodes.cast(below, "int64"), least)
        high = nodes.op("Min", nodes.cast(nodes.op("Ceil", place), "int64"), most)
        share = nodes.op("Sub", place, below)
        if axis == 1:
            share = nodes.op("Unsqueeze", share, nodes.const([1, 2], "int64"))
        else:
            share = nodes.op("Unsqueeze", share, nodes.const([1], "int64"))
        one, other = (nodes.op("Gather", pixels, at, axis=axis) for at in (low, high))
        pixels = nodes.op("Add", one, nodes.op("Mul", nodes.op("Sub", other, one), share))
    nodes.become(pixels)


def _places(nodes: Nodes, axis: int, half: bool, back: float) -> tuple[str, str]:
    """Where the new pixels are among the old ones, and how many old ones there are."""
    before = nodes.op("Shape", nodes.inputs[0], start=axis, end=axis + 1)
    target = nodes.cast(nodes.inputs[1], "int64")
    after = nodes.op("Gather", target, nodes.const(axis - 1, "int64"), axis=0)
    scale = nodes.op("Div", nodes.cast(before, "float32"), nodes.cast(after, "float32"))
    new = nodes.cast(nodes.op("Range", nodes.const(0, "int64"), after, nodes.const(1, "int64")), "float32")
    middle = nodes.op("Add", new, nodes.const(0.5, "float32")) if half else new
    place = nodes.op("Mul", middle, scale)
    return (nodes.op("Sub", place, nodes.const(back, "float32")) if back else place), before


def _one(nodes: Nodes) -> str:
    return nodes.const([1], "int64")


HANDLERS = {
    "ResizeArea": _fixed(areas, "ResizeArea"),
    "ResizeBicubic": _fixed(cubes, "ResizeBicubic"),
    "ResizeNearestNeighbor": nearest,
    "ResizeBilinear": bilinear,
}
