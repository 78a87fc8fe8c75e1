"""Describes what a file contains in place of a model, and finds the model inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

Finds = Callable[[Any], Optional[object]]
MOST = 1000
DEPTH = 3
_FRAMES = ("DataFrame", "Series", "Index")


def held(value: Any, finds: Finds) -> str:
    """A sentence about a container, rows or a bare value, with the next step; empty for anything else.

    `finds`: the converter of an object, or None.
    """
    kind = type(value)
    if kind.__module__.split(".")[0] in ("pandas", "polars", "pyarrow") and kind.__name__ in (*_FRAMES, "Table"):
        words = f"the file holds a {kind.__name__} of {kind.__module__.split('.')[0]}: rows, not a model"
        return f"{words}; save the fitted model, and give rows as --example"
    if isinstance(value, type):
        return f"the file holds the class {value.__name__}, not a fitted object: fit one and save that"
    if _is_array(value) and value.dtype.kind != "O":
        return "the file holds an array of numpy, not a model; save the fitted model, and give rows as --example"
    if isinstance(value, (str, bytes, bool, int, float, complex)) or value is None:
        return f"the file holds {_bare(value)}, not a model: save the fitted model"
    if isinstance(value, (dict, list, tuple, set, frozenset)) or _is_array(value):
        return _container(value, finds)
    return ""


def _is_array(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "numpy" and hasattr(value, "dtype")


def _bare(value: Any) -> str:
    return "nothing (None)" if value is None else f"a bare value of type {type(value).__name__}"


def _container(value: Any, finds: Finds) -> str:
    what = "an array of objects" if _is_array(value) else f"a {type(value).__name__}"
    models = [(place, each) for place, each in _inside(value, "", DEPTH) if finds(each) is not None]
    if not models:
        return f"the file holds {what} in which no model is found: save the fitted model alone"
    (place, first), others = models[0], models[1:]
    if not others:
        return f"the file holds {what}; {place} is a {type(first).__name__}: save that alone"
    names = ", ".join(f"{where} a {type(each).__name__}" for where, each in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return (
        f"the file holds {what} with several models: {place} is a {type(first).__name__}, {names}{more}; "
        "save the one that answers alone, or join steps in a Pipeline"
    )


def _inside(value: Any, within: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The items of a container, each with its location in words."""
    for word, key, each in _parts(value):
        place = f"{word} {key}{within}"
        if isinstance(each, (dict, list, tuple, set, frozenset)) and depth > 1:
            yield from _inside(each, f" in {place}", depth - 1)
        else:
            yield place, each


def _parts(value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MOST]
        yield from (("its key", repr(key)[:80], each) for key, each in pairs)
    elif isinstance(value, (set, frozenset)):
        yield from (("its member", str(i), each) for i, each in enumerate(list(value)[:MOST]))
    else:
        flat = value.ravel().tolist() if _is_array(value) else list(value)
        yield from (("its item", str(i), each) for i, each in enumerate(flat[:MOST]))
