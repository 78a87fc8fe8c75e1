"""Kinds of R models: one file each, ending in `KIND = Kind(...)`, which reads the export of its `.R` file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Callable

from ..spec import Unreadable
from ._form.columns import Columns
from ._form.form import Fields

Outputs = dict[str, str]
"""Names of values by output: `prediction` `[N]` or `[N, T]`, `probabilities` `[N, C]`, … all
`float64`; `index` `int64 [N]`: a classifier's label as a position in its classes, the count of classes for none."""
Thresholds = Mapping[str, Sequence[float]]
"""By column, the numbers at which the output jumps."""


@dataclass(frozen=True)
class Kind:
    """Converts one kind of form to nodes. `thresholds(fields)`: the values worth probing."""

    convert: Callable[[Fields, Columns], Outputs]
    thresholds: Callable[[Fields], Thresholds] | None = None


def names() -> tuple[str, ...]:
    """Returns the sorted kinds with a file of their own."""
    files = Path(__file__).parent.glob("*.py")
    return tuple(sorted(path.stem for path in files if not path.stem.startswith("_")))


@cache
def kind_of(name: str) -> Kind:
    """Returns the kind called `name`; raises `Unreadable` where there is none."""
    if name not in names():
        raise Unreadable(f"the intermediate form has the kind {name!r}, which this version of mlpack does not support")
    found: Kind = import_module(f".{name}", __package__).KIND
    return found
