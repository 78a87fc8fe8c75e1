"""Caffe's own definition, in numpy, of the layers that OpenCV has not: OpenCV calls them when it comes to such a layer.

Nothing here is shared with the translations to ONNX, which are held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class _Definition:
    """What OpenCV asks of a layer in Python: parameters and weights at first, then shapes, then numbers."""

    def __init__(self, params: dict[str, Any], blobs: Sequence[Array]) -> None:
        self.params, self.blobs = params, blobs

    def getMemoryShapes(self, inputs: Sequence[Sequence[int]]) -> list[list[int]]:
        """The sizes of what `forward` answers."""
        import numpy as np

        zeros = [np.zeros(tuple(shape), np.float32) for shape in inputs]
        return [list(each.shape) for each in self.forward(zeros)]

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        """The layer's answers. OpenCV has no vectors, and takes the last of three axes for the channels of an image:
        there is one axis more of size 1."""
        import numpy as np

        found = np.ascontiguousarray(self.answer(*inputs), np.float32)
        return [found.reshape(*found.shape, 1) if found.ndim in (1, 3) else found]

    def answer(self, *inputs: Array) -> Array:
        """The layer's only answer."""
        raise NotImplementedError


class ArgMax(_Definition):
    """Of equal numbers the last comes first, as in Caffe, which sorts pairs of number and place."""

    def answer(self, *inputs: Array) -> Array:
        import numpy as np

        x, count = inputs[0], int(self.params.get("top_k", 1))
        axis, values = self.params.get("axis"), bool(self.params.get("out_max_val", 0))
        flat = x.reshape(len(x), -1) if axis is None else np.moveaxis(x, int(axis), -1)
        places = np.argsort(flat, -1, kind="stable")[..., ::-1][..., :count]
        numbers = np.take_along_axis(flat, places, -1)
        if axis is not None:
            return np.moveaxis(numbers if values else places, -1, int(axis))
        found = np.stack([places, numbers], 1) if values else places[:, None]
        return found.reshape(*found.shape, *(1,) * (x.ndim - 3))


class Bias(_Definition):
    """A term for each channel, or a second blob."""

    def answer(self, *inputs: Array) -> Array:
        x = inputs[0]
        axis = int(self.params.get("axis", 1)) % x.ndim
        count = int(self.params.get("num_axes", 1))
        if len(inputs) == 2:
            term, end = inputs[1], axis + inputs[1].ndim
        else:
            end = x.ndim if count == -1 else axis + count
            term = self.blobs[0].reshape(x.shape[axis:end])
        return x + term.reshape(x.shape[axis:end] + (1,) * (x.ndim - end))


class Threshold(_Definition):
    """1 above the threshold, 0 elsewhere."""

    def answer(self, *inputs: Array) -> Array:
        return (inputs[0] > float(self.params.get("threshold", 0.0))).astype("float32")


class Tile(_Definition):
    """The blob several times along an axis."""

    def answer(self, *inputs: Array) -> Array:
        import numpy as np

        axis = int(self.params.get("axis", 1)) % inputs[0].ndim
        return np.concatenate([inputs[0]] * int(self.params["tiles"]), axis)


class Reduction(_Definition):
    """One number for all from an axis on."""

    def answer(self, *inputs: Array) -> Array:
        x = inputs[0]
        axis = int(self.params.get("axis", 0)) % x.ndim
        flat = x.reshape(*x.shape[:axis], -1).astype("float64")
        how = str(self.params.get("operation", "SUM"))
        found = {
            "SUM": lambda: flat.sum(-1),
            "ASUM": lambda: abs(flat).sum(-1),
            "SUMSQ": lambda: (flat * flat).sum(-1),
            "MEAN": lambda: flat.mean(-1),
        }[how]()
        scaled: Array = found * float(self.params.get("coeff", 1.0))
        return scaled


DEFINED = {each.__name__: each for each in (ArgMax, Bias, Threshold, Tile, Reduction)}
