"""The fields of a protobuf message, read without its description; large files are not copied.

`graph_file` reads ONNX files by a reader of its own, which steps over runs of small fields at once.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, Union

from .spec import Unreadable

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
Buffer = Union[bytes, memoryview, "mmap.mmap"]


def fields(content: Buffer, at: int, end: int) -> Iterator[tuple[int, int, Any]]:
    """Number, kind and value of each field: a whole number, or the start and the end of its bytes.

    Raises `Unreadable`.
    """
    while at < end:
        key, at = varint(content, at, end)
        number, kind = key >> 3, key & 7
        if not number:
            raise Unreadable(f"byte {at} begins no field")
        if kind == VARINT:
            value, at = varint(content, at, end)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = varint(content, at, end)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise Unreadable(f"byte {at} begins no field")
        if size > end - at:
            raise Unreadable(f"the field at byte {at} should have {size} bytes, and {end - at} are left")
        yield number, kind, (at, at + size)
        at += size


def varint(content: Buffer, at: int, end: int) -> tuple[int, int]:
    """The whole number at that place, and where it ends."""
    found = 0
    for step in range(10):
        if at + step >= end:
            raise Unreadable(f"a number is cut off at byte {at}")
        byte = content[at + step]
        found |= (byte & 127) << 7 * step
        if byte < 128:
            return found, at + step + 1
    raise Unreadable(f"the number at byte {at} has more than ten bytes")
