"""What the translation of a layer works with: blobs with their sizes, weights, and the graph under construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Optional

from .._caffe_files.wire import Blob as Weights
from .._graph.builder import GraphBuilder
from ..spec import Unreadable, Unsupported
from .net import Layer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Size = Optional[int]
MOST_NUMBERS = 1 << 28
"""Of one blob, for one image: 1 GiB."""
LARGEST_STEP = 1 << 16
"""The most of a kernel, a stride, a pad or a dilation."""


@dataclass(frozen=True)
class Value:
    """A blob in the graph. `shape`: its sizes, None where one is free."""

    name: str
    shape: tuple[Size, ...]


@dataclass
class Site:
    """One layer with what it takes, where its translation adds nodes to the graph."""

    layer: Layer
    bottoms: tuple[Value, ...]
    weights: tuple[Weights, ...]
    graph: GraphBuilder
    notes: list[str] = field(default_factory=list)

    def bottom(self, rank: int | None = None) -> Value:
        """The only blob that the layer takes; `rank`: the number of axes that it must have."""
        (found,) = self.takes(1)
        if rank is not None and len(found.shape) != rank:
            raise self.refused(f"takes a blob of {rank} axes, and gets {shown(found.shape)}")
        return found

    def takes(self, *counts: int) -> tuple[Value, ...]:
        """The blobs that the layer takes, as many as one of `counts`."""
        if len(self.bottoms) not in counts:
            wanted = " or ".join(map(str, counts))
            raise Unreadable(f"{self.layer} takes {len(self.bottoms)} blobs (bottom), and its type takes {wanted}")
        return self.bottoms

    def axis(self, value: Value, axis: int) -> int:
        """The axis, counted from the end where it is negative."""
        rank = len(value.shape)
        if not -rank <= axis < rank:
            raise Unreadable(f"{self.layer} names the axis {axis} of a blob {shown(value.shape)}")
        return axis % rank

    def refused(self, why: str) -> Unsupported:
        """The error for a layer that has no faithful translation; `why` follows its name."""
        return Unsupported(f"{self.layer} {why}")

    def array(self, place: int, shape: Sequence[int], what: str) -> Array:
        """The numbers of a blob of weights, in that shape, of which it must have exactly as many."""
        if place >= len(self.weights):
            raise Unreadable(
                f"{self.layer} has no {what}: the .caffemodel has {len(self.weights)} blobs for it; put the weights of "
                "this very net beside the prototxt"
            )
        found = self.weights[place]
        if found.size != prod(shape):
            raise Unreadable(
                f"{self.layer} has {what} of {found.size} numbers ({shown(found.shape)}), and by the prototxt they are "
                f"{shown(tuple(shape))}: give the two files of one net"
            )
        return found.numbers().reshape(tuple(shape))

    def has_no_more(self, count: int) -> None:
        """Nothing. Raises `Unreadable` where the layer has more blobs of weights than `count`."""
        if len(self.weights) > count:
            raise Unreadable(
                f"{self.layer} has {len(self.weights)} blobs of weights, and by the prototxt {count}: give the two "
                "files of one net"
            )

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The output of a new node."""
        return self.graph.op(kind, *inputs, stem=self.layer.name or kind.lower(), **attributes)

    def const(self, values: Any) -> str:
        """A constant of float32."""
        return self.graph.const(values, "float32")

    def whole(self, values: Any) -> str:
        """A constant of int64."""
        return self.graph.const(values, "int64")

    def scalar(self, number: float) -> str:
        """A constant of one number, of float32."""
        import numpy as np

        return self.const(np.float32(number))

    def reshaped(self, value: Value, shape: Sequence[Size], copied: int = 0) -> Value:
        """The value in another shape. Its first `copied` axes stay as they are; one more may be free."""
        import numpy as np

        target = [0 if at < copied else -1 if size is None else size for at, size in enumerate(shape)]
        if target.count(-1) > 1:
            raise self.refused("needs sizes that are free here: leave caffe.size out")
        return Value(self.op("Reshape", value.name, self.whole(np.array(target, np.int64))), tuple(shape))

    def known(self, value: Value, first: int, what: str) -> tuple[int, ...]:
        """The sizes from the axis `first` on; raises where one is free."""
        found = value.shape[first:]
        if any(size is None for size in found):
            raise self.refused(f"needs {what} in numbers, and it is free here: leave caffe.size out")
        return tuple(size for size in found if size is not None)

    def checked(self, shape: Sequence[Size]) -> tuple[Size, ...]:
        """The shape of an answer; raises where it is empty, or too large for anything to hold."""
        if any(size is not None and size < 1 for size in shape):
            raise Unreadable(f"{self.layer} answers a blob {shown(tuple(shape))}, which holds nothing: mend its sizes")
        if prod(size for size in shape if size is not None) > MOST_NUMBERS:
            raise Unreadable(
                f"{self.layer} answers a blob {shown(tuple(shape))}, which no machine holds: mend its sizes"
            )
        return tuple(shape)


Translate = Callable[[Site], "list[Value]"]
Known = dict[str, Translate]


def shown(shape: Sequence[Size]) -> str:
    """The sizes as part of a sentence."""
    return f"[{', '.join('any' if size is None else str(size) for size in shape)}]"


def pair_of(
    site: Site, fields: Any, name: str, default: int | None, prefix: str = "", least: int = 0
) -> tuple[int, int]:
    """A parameter of both axes of an image, height first: given once, twice, or as NAME_h and NAME_w."""
    stem = prefix or name
    height, width = f"{stem}_h", f"{stem}_w"
    if fields.has(height) or fields.has(width):
        if fields.has(name):
            raise Unreadable(f"{site.layer} gives both {name} and {height} or {width}: give one of the two forms")
        return _bounded(site, name, fields.integer(height, default, least), fields.integer(width, default, least))
    found = fields.integers(name, least)
    if len(found) > 2:
        raise site.refused(f"gives {name} {len(found)} times, and images have two axes")
    if not found:
        if default is None:
            raise Unreadable(f"{site.layer} lacks {name}: give it")
        found = [default]
    return _bounded(site, name, found[0], found[-1])


def _bounded(site: Site, name: str, high: int, wide: int) -> tuple[int, int]:
    if max(high, wide) > LARGEST_STEP:
        raise Unreadable(f"{site.layer} has a {name} of {max(high, wide)}, and no image is so large: mend it")
    return high, wide
