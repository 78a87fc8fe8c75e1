"""Tensors as raw little-endian bytes: the protocol's binary extension, and the raw contents of gRPC."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlpack_toolkit.converters.bfloat16 import bits_of, of_bits
from mlpack_toolkit.converters.spec import BFLOAT16

from .errors import Refusal
from .tensors import BF16, DTYPES, LONGEST_NAME, Array, array_of, head_of, shape_of

LENGTH = struct.Struct("<I")


def arrays_of(tensors: Any, raw: bytes | memoryview | None) -> dict[str, Array]:
    """The arrays of a request's tensors by name, their data in JSON or, in their order, in the raw part.

    Raises `Refusal`.
    """
    if type(tensors) is not list or not tensors:
        raise Refusal("'inputs' must be a list of tensors")
    table: dict[str, Array] = {}
    place = 0
    for tensor in tensors:
        if type(tensor) is not dict or type(tensor.get("name")) is not str:
            raise Refusal("each of 'inputs' must be an object with a 'name'")
        name = tensor["name"]
        if name in table:
            raise Refusal(f"the input {name[:80]!r} is given twice")
        size = object_of(tensor, "parameters").get("binary_data_size")
        if size is None:
            table[name] = array_of(tensor)
            continue
        if raw is None or type(size) is not int or not 0 <= size <= len(raw) - place or "data" in tensor:
            raise Refusal(f"input {name[:80]!r}: 'binary_data_size' says otherwise than the body")
        table[name] = array_of_bytes(name, tensor.get("datatype"), shape_of(tensor), raw[place : place + size])
        place += size
    if raw is not None and place != len(raw):
        raise Refusal(f"the body has {len(raw) - place} bytes that belong to no input")
    return table


def object_of(plain: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object's object, empty where it has none; raises `Refusal`."""
    found = plain.get(key)
    if found is None:
        return {}
    if type(found) is not dict:
        raise Refusal(f"{key!r} must be an object")
    return found


def array_of_bytes(name: str, datatype: Any, shape: list[int], raw: bytes | memoryview) -> Array:
    """The array in the bytes; each text is preceded by its length in four bytes. Raises `Refusal`."""
    name, size = name[:LONGEST_NAME], math.prod(shape)
    if datatype == "BYTES":
        return _texts(name, raw, size).reshape(shape)
    if type(datatype) is not str or datatype not in DTYPES:
        raise Refusal(f"input {name!r}: there is no datatype {datatype!r:.80}; there are: BYTES, {', '.join(DTYPES)}")
    dtype = np.dtype("<u2") if datatype == BF16 else DTYPES[datatype].newbyteorder("<")
    if len(raw) != size * dtype.itemsize:
        raise Refusal(
            f"input {name!r}: {len(raw)} bytes, and its shape {shape} as {datatype} has {size * dtype.itemsize}"
        )
    if datatype == "BOOL":
        flags = np.frombuffer(raw, np.uint8)
        if (flags > 1).any():
            raise Refusal(f"input {name!r}: a byte that is neither true (1) nor false (0)")
        return flags.astype(np.bool_).reshape(shape)
    if datatype == BF16:
        return of_bits(np.frombuffer(raw, dtype)).reshape(shape)
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


def bytes_of_array(values: Array, dtype: str = "") -> bytes:
    """The array as raw bytes. `dtype`: its element type in the signature; empty: numpy's own."""
    if dtype == BFLOAT16:
        values = bits_of(values)
    if values.dtype.kind not in "OU":
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    encoded = (str(cell).encode() for cell in values.ravel().tolist())
    return b"".join(part for cell in encoded for part in (LENGTH.pack(len(cell)), cell))


def binary_tensor(name: str, values: Array, dtype: str = "") -> tuple[dict[str, Any], bytes]:
    """A tensor's JSON object without data, and the data as raw bytes."""
    raw = bytes_of_array(values, dtype)
    return {**head_of(name, values, dtype), "parameters": {"binary_data_size": len(raw)}}, raw
