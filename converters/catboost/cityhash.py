"""CatBoost's category hashes: CityHash64 (version 1.0) of the UTF-8 text, lower 32 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
MIXER = 0x9DDFEA08EB382D69
LOW_32 = 0xFFFFFFFF


def hashes_of(texts: Sequence[bytes]) -> Array:
    """Returns the signed hash of each text, `int32 [n]`."""
    import numpy as np

    lengths = np.array([len(text) for text in texts], np.int64)
    found = np.zeros(len(texts), np.int32)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        joined = b"".join(texts[row] for row in rows.tolist())
        found[rows] = hashes_of_cells(np.frombuffer(joined, np.uint8).reshape(len(rows), length))
    return found


def hashes_of_cells(cells: Array) -> Array:
    """Returns the signed hash of each row of bytes `[n, length]`, `int32 [n]`."""
    import numpy as np

    return np.asarray((_city(cells) & np.uint64(LOW_32)).astype(np.uint32).view(np.int32))


def _city(cells: Array) -> Array:
    length = cells.shape[1]
    if length <= 8:
        return _to_8(cells, length)
    if length <= 16:
        a, b = _long(cells, 0), _long(cells, length - 8)
        return _mix(a, _turned(b + _number(length), length)) ^ b
    if length <= 32:
        return _to_32(cells, length)
    return _to_64(cells, length) if length <= 64 else _beyond(cells, length)


def _to_8(cells: Array, length: int) -> Array:
    import numpy as np

    if length >= 4:
        first, last = _short(cells, 0), _short(cells, length - 4)
        return _mix(_number(length) + (first << np.uint64(3)), last)
    if length == 0:
        return np.full(len(cells), K2, np.uint64)
    wide = cells.astype(np.uint64)
    y = wide[:, 0] + (wide[:, length >> 1] << np.uint64(8))
    z = _number(length) + (wide[:, -1] << np.uint64(2))
    return np.asarray(_shifted(y * _number(K2) ^ z * _number(K3)) * _number(K2))


def _to_32(cells: Array, length: int) -> Array:
    a, b = _long(cells, 0) * _number(K1), _long(cells, 8)
    c, d = _long(cells, length - 8) * _number(K2), _long(cells, length - 16) * _number(K0)
    left = _turned(a - b, 43) + _turned(c, 30) + d
    return _mix(left, a + _turned(b ^ _number(K3), 20) - c + _number(length))


def _to_64(cells: Array, length: int) -> Array:
    start = _long(cells, 0) + (_number(length) + _long(cells, length - 16)) * _number(K0)
    v = _half(start, _long(cells, 8), _long(cells, 16), _long(cells, 24))
    start = _long(cells, 16) + _long(cells, length - 32)
    w = _half(start, _long(cells, length - 24), _long(cells, length - 16), _long(cells, length - 8))
    mixed = _shifted((v[0] + w[1]) * _number(K2) + (w[0] + v[1]) * _number(K0))
    return _shifted(mixed * _number(K0) + v[1]) * _number(K2)


def _half(a: Array, second: Array, third: Array, z: Array) -> tuple[Array, Array]:
    b, c = _turned(a + z, 52), _turned(a, 37)
    a = a + second
    c = c + _turned(a, 7)
    a = a + third
    return a + z, b + _turned(a, 31) + c


def _beyond(cells: Array, length: int) -> Array:
    import numpy as np

    k1 = _number(K1)
    x, y = _long(cells, 0), _long(cells, length - 16) ^ k1
    size: Array = np.full(len(cells), length, np.uint64)
    seed: Array = np.full(len(cells), K0, np.uint64)
    v, w = _weak(cells, length - 64, size, y), _weak(cells, length - 32, size * k1, seed)
    z: Array = (_long(cells, length - 56) ^ _number(K0)) + _shifted(v[1]) * k1
    x, y = _turned(z + x, 39) * k1, _turned(y, 33) * k1
    for at in range(0, length - 1 & ~63, 64):
        x = _turned(x + y + v[0] + _long(cells, at + 16), 37) * k1 ^ w[1]
        y = _turned(y + v[1] + _long(cells, at + 48), 42) * k1 ^ v[0]
        z = _turned(z ^ w[0], 33)
        v = _weak(cells, at, v[1] * k1, x + w[0])
        w = _weak(cells, at + 32, z + w[1], y)
        z, x = x, z
    return _mix(_mix(v[0], w[0]) + _shifted(y) * k1 + z, _mix(v[1], w[1]) + x)


def _weak(cells: Array, at: int, a: Array, b: Array) -> tuple[Array, Array]:
    first, second, third, last = (_long(cells, at + 8 * i) for i in range(4))
    a = a + first
    b = _turned(b + a + last, 21)
    c = a
    a = a + second + third
    return a + last, b + _turned(a, 44) + c


def _mix(u: Array, v: Array) -> Array:
    k = _number(MIXER)
    return _shifted((v ^ _shifted((u ^ v) * k)) * k) * k


def _short(cells: Array, at: int) -> Array:
    import numpy as np

    return np.ascontiguousarray(cells[:, at : at + 4]).view("<u4")[:, 0].astype(np.uint64)


def _long(cells: Array, at: int) -> Array:
    import numpy as np

    return np.ascontiguousarray(cells[:, at : at + 8]).view("<u8")[:, 0].astype(np.uint64)


def _turned(x: Array, places: int) -> Array:
    import numpy as np

    return np.asarray((x >> np.uint64(places)) | (x << np.uint64(64 - places)))


def _shifted(x: Array) -> Array:
    import numpy as np

    return np.asarray(x ^ (x >> np.uint64(47)))


def _number(value: int) -> np.uint64:
    import numpy as np

    return np.uint64(value)
