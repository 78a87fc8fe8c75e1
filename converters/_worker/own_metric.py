"""The user's own metric of a variant: a function that gets the parent's and the variant's answers."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

from ..spec import Unreadable
from ..table import read_table


def judgement(name: str, want: Path, got: Path) -> tuple[float, ...]:
    """What `MODULE:FUNCTION` says of two tables: one number for all rows, or one for each; more is worse.

    Raises `Unreadable` where there is no such function, or it gives anything but numbers.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise Unreadable(f"there is no function {name} in --code: {error}") from error
    return tuple(_number(name, each) for each in _numbers(found(read_table(want), read_table(got))))


def _numbers(given: Any) -> Any:
    return [given] if isinstance(given, (int, float)) or not getattr(given, "shape", True) else list(given)


def _number(name: str, each: Any) -> float:
    try:
        value = float(each)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"{name} must give a number, or one for each row, and gave {each!r}") from error
    if not math.isfinite(value):
        raise Unreadable(f"{name} gave {value}, which no limit can be held against")
    return value
