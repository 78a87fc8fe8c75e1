"""The state of a numpy dtype, after numpy's `arraydescr_reduce`.

numpy believes the pickled flags: a record with objects in it that claims to have none would turn raw bytes into
pointers. So the flag must say what the fields say.
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
    """numpy's letter and the bytes of an element of the dtype of this name, where numpy pickles it so."""
    match = _CODE.fullmatch(text)
    if not match:
        return None
    kind, size = match[1], int(match[2])
    if kind in _SIZES and size not in _SIZES[kind]:
        return None
    return kind, 4 * size if kind == "U" else size


def check_dtype(target: Any, state: Any, look: Look) -> bool:
    """Whether a dtype of this state holds objects; `Refused` where the state contradicts what it was made as."""
    items = look.items(state)
    size, has_object = look.unbuilt(target)
    if size is None or items is None or len(items) not in (8, 9):
        raise Refused("a numpy dtype is not written in the way in which numpy writes it")
    version, order, base, names, fields, own, aligned, flags = items[:8]
    _check_more(look.kind(target), items[8:], look)
    if version not in (3, 4) or look.texts(order) not in {(o,) for o in "<>|="} or type(flags) is not int:
        raise Refused("a numpy dtype has an unknown state")
    kind = look.kind(target)
    if type(own) is not int or own != (size if kind in "SUV" else -1):
        raise Refused("a numpy dtype's size contradicts its name")
    if type(aligned) is not int or aligned not in (-1, 1, 2, 4, 8, 16):
        raise Refused("a numpy dtype is aligned to no place")
    if kind == "V":
        has_object = _record(size, base, names, fields, look)
    elif (base, names, fields) != (None, None, None):
        raise Refused("a plain numpy dtype has fields")
    if bool(flags & 1) != has_object:
        raise Refused("a numpy dtype hides that it holds objects")
    return has_object


def _check_more(kind: str, more: tuple[Any, ...], look: Look) -> None:
    """Nothing; `Refused` where a date's dtype has not the unit, and its steps, that numpy reads without a look."""
    if kind not in "mM":
        if any(look.role(part) not in ("NoneType", "dict") for part in more):
            raise Refused("a numpy dtype has an unknown state")
        return
    pair = look.items(more[0]) if more else None
    unit = look.items(pair[1]) if pair and len(pair) == 2 else None
    steps = unit[1:] if unit and len(unit) == 4 and look.role(unit[0]) in ("bytes", "str") else ()
    if not steps or any(look.role(n) != "int" or not 1 <= n < 1 << 31 for n in steps):
        raise Refused("a numpy dtype of dates has no unit")


def _record(itemsize: int, base: Any, names: Any, fields: Any, look: Look) -> bool:
    if base is not None:
        return _subarray(itemsize, base, look)
    if names is None and fields is None:
        return False
    entries, known = look.fields(fields), look.texts(names)
    if look.items(names) is None or entries is None:
        raise Refused("a record dtype's fields are not plain data")
    if known is None or set(known) != set(entries):
        raise Refused("a record dtype's names and fields differ")
    return True in {_field(itemsize, entry, look) for entry in entries.values()}


def _field(itemsize: int, entry: Any, look: Look) -> bool:
    items = look.items(entry)
    if items is None or len(items) != 2 or look.role(items[0]) != "dtype" or type(items[1]) is not int:
        raise Refused("a field of a record dtype is not plain data")
    inner, offset = look.dtype(items[0]), items[1]
    if inner[0] is None or offset < 0 or offset + inner[0] > itemsize:
        raise Refused("a field lies outside its record dtype")
    return inner[1]


def _subarray(itemsize: int, base: Any, look: Look) -> bool:
    items = look.items(base)
    if items is None or len(items) != 2 or look.role(items[0]) != "dtype" or look.dtype(items[0])[0] is None:
        raise Refused("a sub-array dtype is not plain data")
    shape = (items[1],) if type(items[1]) is int else look.items(items[1])
    size, has_object = look.dtype(items[0])
    if size is None or size * count(shape) != itemsize:
        raise Refused("a sub-array dtype's size contradicts its shape")
    return has_object


def count(shape: Any) -> int:
    """Elements of an array of this shape."""
    if not isinstance(shape, tuple) or len(shape) > 64 or any(type(n) is not int or n < 0 for n in shape):
        raise Refused("an array's shape is not plain data")
    if prod(n for n in shape if n) >= 1 << 62:
        raise Refused("an array's shape is too large")
    return prod(shape)
