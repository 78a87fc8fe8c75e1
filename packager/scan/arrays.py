"""How many raw bytes an array takes in a joblib file: exact, or a `Fault`; nothing is guessed.

Layout after joblib 1.6's `numpy_pickle.py`; state of a dtype after numpy's `arraydescr_reduce`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any

from .values import Fault, Global, Mapping

_CODE = re.compile(r"([biufcmMOSUV])(\d{1,9})")
_SIZES = {
    "b": (1,),
    "i": (1, 2, 4, 8),
    "u": (1, 2, 4, 8),
    "f": (2, 4, 8, 12, 16),
    "c": (8, 16, 24, 32),
    "m": (8,),
    "M": (8,),
    "O": (4, 8),
}
_SUBCLASSES = frozenset(
    f"{module}.{name}"
    for module, name in (
        ("numpy", "ndarray"),
        ("numpy", "matrix"),
        ("numpy", "memmap"),
        ("numpy.matrixlib.defmatrix", "matrix"),
        ("numpy.core.memmap", "memmap"),
        ("numpy._core.memmap", "memmap"),
    )
)
_REQUIRED = frozenset({"subclass", "shape", "order", "dtype"})
_OPTIONAL = frozenset({"allow_mmap", "numpy_array_alignment_bytes"})


@dataclass(eq=False)
class Dtype:
    """A numpy dtype. `itemsize` in bytes; None when the dtype was not made in the way in which numpy pickles it."""

    kind: str
    itemsize: int | None
    has_object: bool = False
    built: bool = False


@dataclass(frozen=True)
class Payload:
    """What follows an array wrapper: `size` raw bytes, after padding when `aligned`; or a nested pickle."""

    size: int
    alignment: int | None
    nested: bool


def dtype_from(args: Any) -> Dtype:
    """The dtype that `numpy.dtype(*args)` makes."""
    odd = Dtype("", None)
    if type(args) is not tuple or len(args) != 3 or type(args[0]) is not str:
        return odd
    match = _CODE.fullmatch(args[0])
    if not match or (args[1], args[2]) != (False, True):
        return odd
    kind, size = match[1], int(match[2])
    if kind in _SIZES and size not in _SIZES[kind]:
        return odd
    return Dtype(kind, 4 * size if kind == "U" else size, kind == "O")


def build_dtype(dtype: Dtype, state: Any) -> None:
    """Nothing; the state that numpy would set is checked against what the dtype's name says.

    numpy believes the pickled flags: a record with objects in it that claims to have none would turn raw bytes into
    pointers. So the flag must say what the fields say.
    """
    if dtype.built or dtype.itemsize is None or type(state) is not tuple or len(state) not in (8, 9):
        raise Fault("a numpy dtype is not written in the way in which numpy writes it")
    version, order, base, names, fields, size, _, flags = state[:8]
    if version not in (3, 4) or order not in ("<", ">", "|", "=") or type(flags) is not int:
        raise Fault("a numpy dtype has an unknown state")
    own = dtype.itemsize if dtype.kind in "SUV" else -1
    if type(size) is not int or size != own:
        raise Fault("a numpy dtype's size contradicts its name")
    if dtype.kind == "V":
        dtype.has_object = _record(dtype.itemsize, base, names, fields)
    elif (base, names, fields) != (None, None, None):
        raise Fault("a plain numpy dtype has fields")
    if bool(flags & 1) != dtype.has_object:
        raise Fault("a numpy dtype hides that it holds objects")
    dtype.built = True


def _record(itemsize: int, base: Any, names: Any, fields: Any) -> bool:
    if base is not None:
        return _subarray(itemsize, base)
    if names is None and fields is None:
        return False
    if type(names) is not tuple or type(fields) is not Mapping:
        raise Fault("a record dtype's fields are not plain data")
    entries = fields.spend()
    if set(names) != set(entries) or any(type(n) is not str for n in names):
        raise Fault("a record dtype's names and fields differ")
    return True in {_field(itemsize, entry) for entry in entries.values()}


def _field(itemsize: int, entry: Any) -> bool:
    if type(entry) is not tuple or len(entry) != 2 or type(entry[0]) is not Dtype or type(entry[1]) is not int:
        raise Fault("a field of a record dtype is not plain data")
    inner, offset = entry
    if inner.itemsize is None or offset < 0 or offset + inner.itemsize > itemsize:
        raise Fault("a field lies outside its record dtype")
    return bool(inner.has_object)


def _subarray(itemsize: int, base: Any) -> bool:
    if type(base) is not tuple or len(base) != 2 or type(base[0]) is not Dtype or base[0].itemsize is None:
        raise Fault("a sub-array dtype is not plain data")
    shape = (base[1],) if type(base[1]) is int else base[1]
    if base[0].itemsize * count(shape) != itemsize:
        raise Fault("a sub-array dtype's size contradicts its shape")
    return bool(base[0].has_object)


def count(shape: Any) -> int:
    """Elements of an array of this shape."""
    if type(shape) is not tuple or len(shape) > 64 or any(type(n) is not int or n < 0 for n in shape):
        raise Fault("an array's shape is not plain data")
    if prod(n for n in shape if n) >= 1 << 62:
        raise Fault("an array's shape is too large")
    return prod(shape)


def payload(state: Any) -> Payload:
    """What joblib reads from the file after it has given this state to an array wrapper."""
    if type(state) is not Mapping:
        raise Fault("an array's description is not plain data")
    items = state.spend()
    if not items.keys() >= _REQUIRED or not items.keys() <= _REQUIRED | _OPTIONAL:
        raise Fault("an array's description has unknown parts")
    subclass, dtype, order = items["subclass"], items["dtype"], items["order"]
    mmap, alignment = items.get("allow_mmap", False), items.get("numpy_array_alignment_bytes")
    if type(subclass) is not Global or subclass.dotted not in _SUBCLASSES:
        raise Fault("an array is of an unknown class")
    if type(dtype) is not Dtype or dtype.itemsize is None or order not in ("C", "F") or type(mmap) is not bool:
        raise Fault("an array's description is not plain data")
    if alignment is not None and (type(alignment) is not int or not 1 <= alignment <= 255):
        raise Fault("an array's alignment is not plain data")
    size = count(items["shape"]) * dtype.itemsize
    if dtype.has_object:
        return Payload(0, None, True)
    if dtype.itemsize == 0:
        raise Fault("an array's elements have no size")
    return Payload(size, alignment, False)
