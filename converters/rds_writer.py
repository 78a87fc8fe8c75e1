"""Writes Python values in R's serialisation format, for `readRDS`."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .rds import _CHAR, _DOUBLE, _INTEGER, _LIST, _LOGICAL, _PAIRS, _SYMBOL, _TEXT

if TYPE_CHECKING:
    import numpy as np

NA_REAL_BITS = 0x7FF00000000007A2
_NULL, _ASCII, _UTF8 = 254, 64 << 12, 8 << 12
_HAS_ATTRIBUTES, _HAS_TAG = 512, 1024


def write(value: Any) -> bytes:
    """Returns the uncompressed file of a value made of None, bool, int, float, str, arrays, and lists and dictionaries
    of these. A list of `str` and None becomes a text vector; NaN becomes NA."""
    head = b"X\n" + struct.pack(">iii", 2, 0x00020300, 0x00020300)
    parts: list[bytes] = [head]
    _write(value, parts)
    return b"".join(parts)


def _write(value: Any, parts: list[bytes]) -> None:
    import numpy as np

    if value is None:
        parts.append(struct.pack(">i", _NULL))
    elif isinstance(value, Mapping):
        parts.append(struct.pack(">ii", _LIST | _HAS_ATTRIBUTES, len(value)))
        for each in value.values():
            _write(each, parts)
        _write_names(list(value), parts)
    elif isinstance(value, str):
        _write_text([value], parts)
    elif isinstance(value, (bool, np.bool_)):
        parts.append(struct.pack(">iii", _LOGICAL, 1, value))
    elif isinstance(value, (int, np.integer)):
        parts.append(struct.pack(">iii", _INTEGER, 1, value))
    elif isinstance(value, (float, np.floating)):
        _write_array(np.array([value]), parts)
    elif isinstance(value, np.ndarray) and value.dtype.kind not in "OU":
        _write_array(value, parts)
    elif all(each is None or isinstance(each, str) for each in value) and len(value):
        _write_text(value, parts)
    else:
        parts.append(struct.pack(">ii", _LIST, len(value)))
        for each in value:
            _write(each, parts)


def _write_text(cells: Sequence[str | None], parts: list[bytes]) -> None:
    parts.append(struct.pack(">ii", _TEXT, len(cells)))
    for cell in cells:
        raw = b"" if cell is None else cell.encode("utf-8", "surrogateescape")
        flags = _CHAR if cell is None else _CHAR | (_ASCII if raw.isascii() else _UTF8)
        parts.append(struct.pack(">ii", flags, -1 if cell is None else len(raw)) + raw)


def _write_array(array: np.ndarray[Any, Any], parts: list[bytes]) -> None:
    """Writes an array; a matrix in column-major order, as in R."""
    kind, cells = _cells(array.ravel(order="F"))
    attributes = _HAS_ATTRIBUTES if array.ndim > 1 else 0
    parts.append(struct.pack(">ii", kind | attributes, array.size) + cells)
    if attributes:
        _write_tag("dim", parts)
        parts.append(struct.pack(f">ii{array.ndim}i", _INTEGER, array.ndim, *array.shape))
        parts.append(struct.pack(">i", _NULL))


def _cells(array: np.ndarray[Any, Any]) -> tuple[int, bytes]:
    """Returns R's type for the numbers, and their bytes; integers beyond R's range become doubles."""
    import numpy as np

    if array.dtype.kind == "b":
        return _LOGICAL, array.astype(">i4").tobytes()
    if array.dtype.kind in "iu" and (not array.size or np.abs(array).max() < 2**31):
        return _INTEGER, array.astype(">i4").tobytes()
    bits = np.ascontiguousarray(array, np.float64).view(np.uint64).copy()
    bits[np.isnan(array.astype(np.float64))] = NA_REAL_BITS
    return _DOUBLE, bits.astype(">u8").tobytes()


def _write_names(names: Sequence[str], parts: list[bytes]) -> None:
    _write_tag("names", parts)
    _write_text(names, parts)
    parts.append(struct.pack(">i", _NULL))


def _write_tag(name: str, parts: list[bytes]) -> None:
    """Writes the start of an attribute's pair."""
    parts.append(struct.pack(">ii", _PAIRS | _HAS_TAG, _SYMBOL))
    parts.append(struct.pack(">ii", _CHAR | _ASCII, len(name)) + name.encode())
