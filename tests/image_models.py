"""Graphs that take images, and images as files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

Pixels = np.ndarray[Any, Any]
SHAPES: dict[str, Sequence[str | int]] = {
    "nhwc": ["batch", "h", "w", 3],
    "nchw": ["batch", 3, "h", "w"],
    "hwc": ["h", "w", 3],
    "chw": [3, "h", "w"],
    "fixed": [1, 3, 8, 10],
    "grey": ["batch", 1, "h", "w"],
}


def graph(path: Path, shape: Sequence[str | int], dtype: int = TensorProto.UINT8, second: bool = False) -> Path:
    """Each channel's mean, in the order of the input, and the brightest channel."""
    first = shape.index(3) if 3 in shape else 1
    axes = [a for a in range(len(shape)) if a != first and (a or len(shape) == 3)]
    batch = list(shape[:1]) if len(shape) == 4 else []
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f", "axes"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["sums", "scale" if second else "one"], ["mean"]),
        helper.make_node("ArgMax", ["mean"], ["label"], axis=-1, keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("x", dtype, shape)]
    inputs += [helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1])] if second else []
    channels = shape[first]
    outputs = [
        helper.make_tensor_value_info("mean", TensorProto.FLOAT, [*batch, channels]),
        helper.make_tensor_value_info("label", TensorProto.INT64, batch),
    ]
    constants = {"axes": np.array(axes, np.int64), "one": np.ones(1, np.float32)}
    held = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    made = helper.make_graph(nodes, "means", inputs, outputs, held)
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def noise(height: int = 8, width: int = 10, seed: int = 0) -> Pixels:
    """Random pixels, red first."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encoded(pixels: Pixels | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of an image file."""
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(out, kind, **options)
    return out.getvalue()


def folder_of(place: Path, images: dict[str, Pixels]) -> Path:
    """A folder of PNG files."""
    place.mkdir(parents=True)
    for name, pixels in images.items():
        (place / name).write_bytes(encoded(pixels))
    return place
