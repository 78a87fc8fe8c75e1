"""Tensors as raw little-endian bytes: the protocol's binary extension, and the raw contents of gRPC."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from .errors import Refusal
from .tensors import DTYPES, LONGEST_NAME, Array

LENGTH = struct.Struct("<I")


def array_of_bytes(name: str, datatype: Any, shape: list[int], raw: bytes | memoryview) -> Array:
    """The array in the bytes; text elements carry their length in four bytes. Raises `Refusal`."""
    name, size = name[:LONGEST_NAME], math.prod(shape)
    if datatype == "BYTES":
        return _texts(name, raw, size).reshape(shape)
    if type(datatype) is not str or datatype not in DTYPES:
        raise Refusal(f"input {name!r}: there is no datatype {datatype!r:.80}; there are: BYTES, {', '.join(DTYPES)}")
    dtype = DTYPES[datatype].newbyteorder("<")
    if len(raw) != size * dtype.itemsize:
        raise Refusal(
            f"input {name!r}: {len(raw)} bytes, and its shape {shape} as {datatype} has {size * dtype.itemsize}"
        )
    if datatype == "BOOL":
        flags = np.frombuffer(raw, np.uint8)
        if (flags > 1).any():
            raise Refusal(f"input {name!r}: a byte that is neither true (1) nor false (0)")
        return flags.astype(np.bool_).reshape(shape)
    return np.frombuffer(raw, dtype).astype(DTYPES[datatype], copy=False).reshape(shape)


def _texts(name: str, raw: bytes | memoryview, size: int) -> Array:
    found: list[str] = []
    place, end = 0, len(raw)
    while place < end:
        start = place + LENGTH.size
        place = start + LENGTH.unpack_from(raw, place)[0] if start <= end else end + 1
        if place > end:
            raise Refusal(f"input {name!r}: its bytes end within element {len(found)}")
        try:
            found.append(bytes(raw[start:place]).decode())
        except UnicodeDecodeError:
            raise Refusal(f"input {name!r}: element {len(found)} is not UTF-8") from None
    if len(found) != size:
        raise Refusal(f"input {name!r}: {len(found)} elements, and its shape has {size}")
    cells = np.empty(size, object)
    cells[:] = found
    return cells


def bytes_of_array(values: Array) -> bytes:
    """The array as raw bytes."""
    if values.dtype.kind not in "OU":
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    encoded = (str(cell).encode() for cell in values.ravel().tolist())
    return b"".join(part for cell in encoded for part in (LENGTH.pack(len(cell)), cell))
