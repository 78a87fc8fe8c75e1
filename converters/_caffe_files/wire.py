"""A reader of protobuf's binary form, as far as weights of Caffe need it: blobs by the name of their layer."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._protobuf import BYTES, EIGHT, FOUR, VARINT, Buffer, fields, varint
from ..spec import Unreadable

if TYPE_CHECKING:
    import numpy as np

MOST_AXES = 32
MOST_BLOBS = 1 << 16
MOST_PARTS = 1 << 20
LARGEST = 1 << 31
"""The file's bytes, from which on OpenCV's own reader refuses."""
_NET_LAYERS, _NET_LAYER = 2, 100
_FLOAT, _HALF = 1, 2


@dataclass(frozen=True)
class Blob:
    """Numbers with dimensions. `parts`: where they are in the file: type (as numpy writes it), start, end.

    `legacy`: the file has them as num, channels, height, width, which says nothing of how many axes there are.
    """

    shape: tuple[int, ...]
    parts: tuple[tuple[str, int, int], ...]
    content: Buffer = field(repr=False, compare=False)
    legacy: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)

    def numbers(self) -> np.ndarray[Any, Any]:
        """The numbers as float32, one after the other."""
        import numpy as np

        sizes = {"<f4": 4, "<f2": 2}
        found = [
            np.frombuffer(self.content, kind, (end - start) // sizes[kind], start) for kind, start, end in self.parts
        ]
        joined = found[0] if len(found) == 1 else np.concatenate(found or [np.empty(0, "<f4")])
        return joined.astype(np.float32, copy=False)


def weights(path: Path) -> dict[str, tuple[Blob, ...]]:
    """The blobs by layer, of the first layer of a name that has some. Raises `Unreadable` for a damaged file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not size:
            raise Unreadable(f"{path.name} is empty: give the weights that belong to the net")
        if size >= LARGEST:
            raise Unreadable(f"{path.name} has {size} bytes, and OpenCV reads less than 2 GiB of weights")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        return _weights(content)
    except Unreadable as error:
        raise Unreadable(f"{path.name} cannot be read as weights of Caffe: {error}") from error


def _weights(content: Buffer) -> dict[str, tuple[Blob, ...]]:
    found: dict[str, tuple[Blob, ...]] = {}
    total = 0
    for number, kind, value in fields(content, 0, len(content)):
        if number in (_NET_LAYERS, _NET_LAYER) and kind == BYTES:
            keys = (1, 7) if number == _NET_LAYER else (4, 6)
            name, blobs = _layer(content, value, keys)
            total += len(blobs)
            if total > MOST_BLOBS:
                raise Unreadable(f"it has more than {MOST_BLOBS} blobs, as no net has")
            if blobs:
                found.setdefault(name, blobs)
    return found


def _layer(content: Buffer, place: Any, keys: tuple[int, int]) -> tuple[str, tuple[Blob, ...]]:
    """The name and the blobs of a layer. `keys`: the numbers of these fields."""
    name, blobs = "", []
    for number, kind, value in fields(content, *place):
        if number == keys[0] and kind == BYTES:
            name = bytes(content[value[0] : value[1]]).decode("utf-8", "replace")
        elif number == keys[1] and kind == BYTES:
            blobs.append(blob(content, value, name))
    return name, tuple(blobs)


def blob(content: Buffer, place: tuple[int, int], name: str) -> Blob:
    """The blob at that place; `name` of its layer, for messages. Raises `Unreadable` where its numbers do not fit."""
    legacy: dict[int, int] = {}
    shape: list[int] | None = None
    parts: list[tuple[str, int, int]] = []
    raw, raw_type = None, -1
    for number, kind, value in fields(content, *place):
        if number in (1, 2, 3, 4) and kind == VARINT:
            legacy[number] = value
        elif number == 7 and kind == BYTES:
            shape = [*(shape or []), *_dims(content, value, name)]
        elif number == 5 and kind in (BYTES, FOUR):
            parts.append(("<f4", *value))
            if len(parts) > MOST_PARTS:
                raise Unreadable(
                    f"a blob of the layer {name!r} is in more than {MOST_PARTS} pieces: save it with Caffe"
                )
        elif number == 8 and kind in (BYTES, EIGHT):
            raise Unreadable(f"the layer {name!r} keeps numbers of 64 bits, which OpenCV does not read: save float")
        elif number == 10 and kind == VARINT:
            raw_type = value
        elif number == 12 and kind == BYTES:
            raw = value
    if raw is not None and not parts:
        parts = [(_raw(raw_type, name), *raw)]
    dims = tuple(legacy.get(axis, 0) for axis in (1, 2, 3, 4)) if legacy else tuple(shape if shape is not None else [1])
    full = tuple(part for part in parts if part[2] > part[1])
    return _checked(Blob(dims, full, content, bool(legacy)), name)


def _raw(kind: int, name: str) -> str:
    if kind not in (_FLOAT, _HALF):
        raise Unreadable(f"the layer {name!r} keeps numbers in the form {kind}, which is neither float nor half")
    return "<f4" if kind == _FLOAT else "<f2"


def _dims(content: Buffer, place: tuple[int, int], name: str) -> list[int]:
    found: list[int] = []
    for number, kind, value in fields(content, *place):
        if number == 1 and kind == VARINT:
            found.append(value)
        elif number == 1 and kind == BYTES:
            at, end = value
            while at < end:
                one, at = varint(content, at, end)
                found.append(one)
                if len(found) > MOST_AXES:
                    break
        if len(found) > MOST_AXES:
            raise Unreadable(f"a blob of the layer {name!r} has more than {MOST_AXES} axes")
    return found


def _checked(found: Blob, name: str) -> Blob:
    """The blob, whose numbers are as many as its dimensions say."""
    width = {"<f4": 4, "<f2": 2}
    if any((end - start) % width[kind] for kind, start, end in found.parts):
        raise Unreadable(f"a blob of the layer {name!r} is cut in the middle of a number")
    count = sum((end - start) // width[kind] for kind, start, end in found.parts)
    if any(not 0 <= size < LARGEST for size in found.shape) or found.size != count:
        shown = " x ".join(map(str, found.shape[:8]))
        raise Unreadable(f"a blob of the layer {name!r} has {count} numbers, and its dimensions say {shown}")
    return found
