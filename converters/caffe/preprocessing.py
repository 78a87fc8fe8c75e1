"""What happens to pixels before the net, which no prototxt says: the order of channels, the mean, the scale."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._caffe_files.wire import blob
from ..image import BGR, NCHW, NHWC, ORDERS, RGB, declared
from ..spec import Unreadable
from .building import Size, Value
from .net import Input, Net

if TYPE_CHECKING:
    import numpy as np

    from .._graph.builder import GraphBuilder

    Array = np.ndarray[Any, Any]

MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Steps:
    """What is done to the input `name`, in order: as float, channels first, swapped, less the mean, times the scale.

    `pixels`: the input holds uint8. `last`: its channels are last. `order`: of its channels, where it holds pixels.
    `mean`: `[channels, 1, 1]` or of the size of an image; None: none.
    """

    name: str
    pixels: bool = False
    last: bool = False
    order: str = ""
    swapped: bool = False
    mean: Array | None = None
    scale: float = 1.0

    def applied(self, x: Array) -> Array:
        """What the net gets for an input."""
        import numpy as np

        found = x.astype(np.float32)
        found = np.moveaxis(found, 3, 1) if self.last else found
        found = found[:, ::-1] if self.swapped else found
        found = found if self.mean is None else found - self.mean
        return np.ascontiguousarray(found if self.scale == 1 else found * np.float32(self.scale))

    def in_graph(self, name: str, channels: int, graph: GraphBuilder) -> str:
        """The same as nodes of a graph."""
        found = graph.op("Cast", name, to=1) if self.pixels else name
        found = graph.op("Transpose", found, perm=[0, 3, 1, 2]) if self.last else found
        if self.swapped:
            found = graph.op("Gather", found, graph.const(list(range(channels))[::-1], "int64"), axis=1)
        found = found if self.mean is None else graph.op("Sub", found, graph.const(self.mean, "float32"))
        return found if self.scale == 1 else graph.op("Mul", found, graph.const(self.scale, "float32"))

    def shape(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """The sizes of the input, of which the net gets these."""
        return (sizes[0], *sizes[2:], sizes[1]) if self.last else tuple(sizes)

    def notes(self) -> tuple[str, ...]:
        """A line for the report on each step."""
        found = []
        if self.swapped:
            found.append(f"the graph swaps the channels of {self.name!r} before the net")
        if self.mean is not None:
            flat = ", ".join(f"{each:g}" for each in self.mean.ravel()) if self.mean.size <= 4 else "an image"
            found.append(f"the graph subtracts the mean of {self.name!r} before the net: {flat}")
        if self.scale != 1:
            found.append(f"the graph multiplies {self.name!r} by {self.scale:g} before the net")
        return tuple(found)


def steps_of(net: Net, given: Mapping[str, Any]) -> Steps | None:
    """What the user's options ask for; None: nothing. Raises `Unreadable` where they do not fit the net."""
    asked = [key for key in ("mean", "mean_file", "scale", "channels", "image") if given.get(key) not in (None, "")]
    if not asked:
        return None
    images = list(declared(given.get("image", "")))
    target = _target(net, [each.name for each in images], asked)
    image = images[0] if images else None
    order = image.order if image else given.get("channels") or BGR
    if image and given.get("channels") not in (None, "", image.order):
        raise Unreadable(f"caffe.image says {image.order} and caffe.channels {given['channels']}: give one of the two")
    swapped = order != (given.get("trained") or BGR)
    if swapped and target.shape[1] != 3:
        raise Unreadable(f"the input {target.name!r} has {target.shape[1]} channels, and those of three can be swapped")
    if image and image.layout not in ("", NCHW, NHWC):
        raise Unreadable(f"caffe.image says {image.layout}, and a net of Caffe takes {NCHW} or {NHWC}")
    return Steps(
        target.name,
        pixels=image is not None,
        last=image is not None and image.layout == NHWC,
        order=order if image else "",
        swapped=swapped,
        mean=_mean(target, given),
        scale=float(given.get("scale") or 1.0),
    )


def _target(net: Net, named: Sequence[str], asked: Sequence[str]) -> Input:
    images = [each for each in net.inputs if len(each.shape) == 4 and (not named or each.name in named)]
    there = ", ".join(f"{each.name} {list(each.shape)}" for each in net.inputs)
    if unknown := set(named) - {each.name for each in net.inputs}:
        raise Unreadable(f"caffe.{asked[0]} names {min(unknown)!r}, which is no input of the net; the net has: {there}")
    if len(named) > 1 or len(images) != 1:
        raise Unreadable(f"caffe.{asked[0]} is for one input of four axes; the net has: {there}")
    return images[0]


def _mean(target: Input, given: Mapping[str, Any]) -> Array | None:
    import numpy as np

    if given.get("mean") and given.get("mean_file"):
        raise Unreadable("caffe.mean and caffe.mean_file are both given: give one of the two")
    if given.get("mean_file"):
        return _cut(target, given["mean_file"])
    if not given.get("mean"):
        return None
    found = np.array(means_of(given["mean"]), np.float32)
    if found.size not in (1, target.shape[1]):
        raise Unreadable(f"caffe.mean has {found.size} numbers, and {target.name!r} has {target.shape[1]} channels")
    return np.broadcast_to(found, (target.shape[1],)).reshape(-1, 1, 1)


def _cut(target: Input, kept: Mapping[str, Sequence[str]]) -> Array:
    """The mean image, of a larger one its middle, as Caffe cuts images and mean alike."""
    import numpy as np

    shape = tuple(map(int, kept["shape"]))[-3:]
    image = np.frombuffer(base64.b64decode(kept["numbers"][0]), "<f4").reshape(shape)
    channels, height, width = target.shape[1:]
    if shape[0] != channels or (shape[1:] != (1, 1) and (shape[1] < height or shape[2] < width)):
        raise Unreadable(f"caffe.mean_file is {list(shape)}, and the input {target.name!r} {list(target.shape[1:])}")
    if shape[1:] == (1, 1):
        return image
    top, left = (shape[1] - height) // 2, (shape[2] - width) // 2
    return image[:, top : top + height, left : left + width]


def means_of(text: str) -> list[float]:
    """The numbers of the option, a comma between them."""
    import math

    try:
        found = [float(each) for each in str(text).split(",")]
    except ValueError:
        found = []
    if not found or not all(map(math.isfinite, found)):
        raise Unreadable(f"caffe.mean is {text!r}: give a number for each channel, a comma between them: 104,117,123")
    return found


def check_mean(text: str) -> None:
    """Nothing. Raises `Unreadable` for what are no numbers."""
    means_of(text)


def check_order(text: str) -> None:
    """Nothing. Raises `Unreadable` for what is no order of channels."""
    if text not in ORDERS:
        raise Unreadable(f"the order of channels is {RGB} or {BGR}, not {text!r}")


def check_scale(number: float) -> None:
    """Nothing. Raises `Unreadable` for a factor that is none."""
    import math

    if not math.isfinite(number) or number == 0:
        raise Unreadable(f"caffe.scale is {number:g}, and pixels are multiplied by a number other than 0")


def read_mean(path: Path) -> dict[str, list[str]]:
    """The dimensions and the numbers of a `mean.binaryproto`, as the bundle keeps them."""
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"{path.name} is larger than the mean of an image ({MOST_BYTES >> 20} MiB): give it")
    content = path.read_bytes()
    found = blob(content, (0, len(content)), path.name)
    if not 3 <= len(found.shape) <= 4 or (len(found.shape) == 4 and found.shape[0] != 1):
        raise Unreadable(
            f"{path.name} has the shape {list(found.shape)}, and the mean of images is [1, channels, h, w]"
        )
    numbers = b"".join(content[start:end] for kind, start, end in found.parts if kind == "<f4")
    if len(numbers) != 4 * found.size:
        raise Unreadable(f"{path.name} holds numbers of 16 bits: save it as Caffe does, in 32")
    return {"shape": [str(size) for size in found.shape], "numbers": [base64.b64encode(numbers).decode()]}


def sizes_sent(steps: Steps | None, each: Input) -> tuple[int, ...]:
    """The sizes of one image as callers send it."""
    if steps is None or steps.name != each.name or not steps.last:
        return (1, *each.shape[1:])
    return (1, *each.shape[2:], each.shape[1])


def input_value(steps: Steps | None, name: str, shape: Sequence[Size], graph: GraphBuilder) -> Value:
    """The blob that the net gets, from the input of the graph."""
    channels = shape[1] if len(shape) > 1 else None
    if steps is None or steps.name != name or channels is None:
        return Value(name, tuple(shape))
    return Value(steps.in_graph(name, channels, graph), tuple(shape))
