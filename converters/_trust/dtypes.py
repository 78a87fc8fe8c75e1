"""Validates the state of a numpy dtype, after numpy's `arraydescr_reduce`.

numpy trusts the pickled flags: a record that contains objects but claims to have none would turn raw bytes into
pointers. So the flag must agree with the fields.
"""

from __future__ import annotations

import re
from math import prod
from typing import Any

from .rules import Look, Refused

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


def plain_code(text: str) -> tuple[str, int] | None:
    """Returns numpy's type letter and element size in bytes for a dtype name; None where numpy never pickles it."""
    match = _CODE.fullmatch(text)
    if not match:
        return None
    kind, size = match[1], int(match[2])
    if kind in _SIZES and size not in _SIZES[kind]:
        return None
    return kind, 4 * size if kind == "U" else size


def check_dtype(target: Any, state: Any, look: Look) -> bool:
    """Returns whether a dtype of this state holds objects; raises `Refused` where state and creation differ."""
    items = look.items(state)
    size, has_object = look.unbuilt(target)
    if size is None or items is None or len(items) not in (8, 9):
        raise Refused("contains a numpy dtype that numpy did not write")
    version, order, base, names, fields, own, aligned, flags = items[:8]
    _check_more(look.kind(target), items[8:], look)
    if version not in (3, 4) or look.texts(order) not in {(o,) for o in "<>|="} or type(flags) is not int:
        raise Refused("contains a numpy dtype with an unknown state")
    kind = look.kind(target)
    if type(own) is not int or own != (size if kind in "SUV" else -1):
        raise Refused("contains a numpy dtype whose size contradicts its name")
    if type(aligned) is not int or aligned not in (-1, 1, 2, 4, 8, 16):
        raise Refused("contains a numpy dtype with an invalid alignment")
    if kind == "V":
        has_object = _record(size, base, names, fields, look)
    elif (base, names, fields) != (None, None, None):
        raise Refused("contains a plain numpy dtype with fields")
    if bool(flags & 1) != has_object:
        raise Refused("contains a numpy dtype that hides its objects")
    return has_object


def _check_more(kind: str, more: tuple[Any, ...], look: Look) -> None:
    """Raises `Refused` where a date's dtype lacks the unit and step count, which numpy reads unchecked."""
    if kind not in "mM":
        if any(look.role(part) not in ("NoneType", "dict") for part in more):
            raise Refused("contains a numpy dtype with an unknown state")
        return
    pair = look.items(more[0]) if more else None
    unit = look.items(pair[1]) if pair and len(pair) == 2 else None
    steps = unit[1:] if unit and len(unit) == 4 and look.role(unit[0]) in ("bytes", "str") else ()
    if not steps or any(look.role(n) != "int" or not 1 <= n < 1 << 31 for n in steps):
        raise Refused("contains a numpy dtype of dates without a unit")


def _record(itemsize: int, base: Any, names: Any, fields: Any, look: Look) -> bool:
    if base is not None:
        return _subarray(itemsize, base, look)
    if names is None and fields is None:
        return False
    entries, known = look.fields(fields), look.texts(names)
    if look.items(names) is None or entries is None:
        raise Refused("contains a record dtype whose fields are not plain data")
    if known is None or set(known) != set(entries):
        raise Refused("contains a record dtype whose names and fields differ")
    return True in {_field(itemsize, entry, look) for entry in entries.values()}


def _field(itemsize: int, entry: Any, look: Look) -> bool:
    items = look.items(entry)
    if items is None or len(items) != 2 or look.role(items[0]) != "dtype" or type(items[1]) is not int:
        raise Refused("contains a record dtype with a field that is not plain data")
    inner, offset = look.dtype(items[0]), items[1]
    if inner[0] is None or offset < 0 or offset + inner[0] > itemsize:
        raise Refused("contains a record dtype with a field out of range")
    return inner[1]


def _subarray(itemsize: int, base: Any, look: Look) -> bool:
    items = look.items(base)
    if items is None or len(items) != 2 or look.role(items[0]) != "dtype" or look.dtype(items[0])[0] is None:
        raise Refused("contains a sub-array dtype that is not plain data")
    shape = (items[1],) if type(items[1]) is int else look.items(items[1])
    size, has_object = look.dtype(items[0])
    if size is None or size * count(shape) != itemsize:
        raise Refused("contains a sub-array dtype whose size contradicts its shape")
    return has_object


def count(shape: Any) -> int:
    """Returns the number of elements of an array of this shape."""
    if not isinstance(shape, tuple) or len(shape) > 64 or any(type(n) is not int or n < 0 for n in shape):
        raise Refused("contains an array whose shape is not plain data")
    if prod(n for n in shape if n) >= 1 << 62:
        raise Refused("contains an array that is too large")
    return prod(shape)
