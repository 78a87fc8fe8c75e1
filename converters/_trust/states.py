"""Checks the state that a pickle may set on each kind of value."""

from __future__ import annotations

from typing import Any, Callable

from .dtypes import check_dtype
from .rules import Look, Refused, Test, check_attributes, dict_of, either, matches, roles, tuple_of

_INT, _NONE, _DICT, _TUPLE, _DTYPE = roles("int"), roles("NoneType"), roles("dict"), roles("tuple"), roles("dtype")
_RAW, _FLAG = roles("bytes", "list"), roles("bool", "int")
_INTS = tuple_of(_INT)
_FILL = roles(*["NoneType", "bool", "int", "float", "complex", "str", "bytes", "array", "scalar"])
_ARRAY = (_INT, _INTS, _DTYPE, _FLAG, _RAW)
_NUMBERS = tuple_of(
    roles(*["NoneType", "bool", "int", "float", "str", "bytes", "tuple", "list", "array", "scalar", "native"])
)
_EMPTY = either(_NONE, lambda value, look: look.role(value) == "dict" and not look.entries(value))

_TUPLES: dict[str, tuple[tuple[Test, ...], ...]] = {
    "array": (_ARRAY,),
    "masked": ((*_ARRAY, roles("bytes"), _FILL),),
    "bits": ((_DICT, roles("NoneType", "seed")),),
    "partial": ((roles("function", "own"), _TUPLE, _DICT, _EMPTY),),
}
_OTHERS: dict[str, Test] = {
    "mapping": dict_of(_metadata=roles("mapping")),  # the versions of modules, beside the tensors of a state dict
    "native": _NUMBERS,
    "random": either(_NUMBERS, roles("bits", "NoneType")),
    "seed": _NUMBERS,
}

_NAMED = frozenset({"bits", "bunch", "native", "random"})
"""Roles whose state may be a dict of keys that are not attributes."""


def check_state(target: Any, state: Any, look: Look, methods: Callable[[str], bool]) -> None:
    """Raises `Refused` where no model sets such a state on such a value. `methods`: see `check_attributes`."""
    role = look.role(target)
    if role == "dtype":
        check_dtype(target, state, look)
    elif role == "object":
        _check_object(state, look, methods)
    elif role in _NAMED and look.role(state) == "dict":
        _check_object(state, look, lambda key: False)
    elif role != "own" and not _fits(role, state, look):
        raise Refused(f"sets a state on a {role.replace('?', 'value of unknown type')}, which no model does")


def _check_object(state: Any, look: Look, methods: Callable[[str], bool]) -> None:
    entries = look.entries(state)
    if entries is None:
        raise Refused("sets a state that is not a dict of plain names")
    check_attributes(entries, look, methods)


def _fits(role: str, state: Any, look: Look) -> bool:
    forms = _TUPLES.get(role, ())
    items = look.items(state) if forms else None
    if items is not None and any(matches(form, items, look) for form in forms):
        return role not in ("array", "masked") or _holds(items, look)
    return role in _OTHERS and _OTHERS[role](state, look)


def _holds(items: tuple[Any, ...], look: Look) -> bool:
    """Returns whether an array's elements are of the kind that its dtype declares."""
    return look.dtype(items[2])[1] == (look.role(items[4]) == "list")
