"""Computes the number of raw bytes of an array in a joblib file, exactly; raises `Fault` where it cannot.

Layout after joblib 1.6's `numpy_pickle.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack_toolkit.converters._trust.dtypes import check_dtype, count, plain_code
from mlpack_toolkit.converters._trust.rules import Refused

from .symbols import SYMBOLS
from .values import Dtype, Fault, Global, Mapping

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


@dataclass(frozen=True)
class Payload:
    """The data after an array wrapper: `size` raw bytes, after padding when `aligned`; or a nested pickle."""

    size: int
    alignment: int | None
    nested: bool


def dtype_from(args: Any) -> Dtype:
    """The dtype that `numpy.dtype(*args)` makes."""
    odd = Dtype("", None)
    if type(args) is not tuple or len(args) != 3 or type(args[0]) is not str:
        return odd
    code = plain_code(args[0]) if (args[1], args[2]) == (False, True) else None
    return Dtype(*code, code[0] == "O") if code else odd


def build_dtype(dtype: Dtype, state: Any) -> None:
    """Checks the state that numpy would set against the dtype's name."""
    try:
        dtype.has_object = check_dtype(dtype, state, SYMBOLS)
    except Refused as refused:
        raise Fault(str(refused)) from refused
    dtype.built = True


def _count(shape: Any) -> int:
    try:
        return count(shape)
    except Refused as refused:
        raise Fault(str(refused)) from refused


def payload(state: Any) -> Payload:
    """The data that joblib reads from the file after it has set this state on an array wrapper."""
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
    dtype.built = True
    size = _count(items["shape"]) * dtype.itemsize
    if dtype.has_object:
        return Payload(0, None, True)
    if dtype.itemsize == 0:
        raise Fault("an array's elements have no size")
    return Payload(size, alignment, False)
