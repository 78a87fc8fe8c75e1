"""Kinds of R models: one file each, which ends in `KIND = Kind(...)` and reads what the `.R` file beside it exports."""

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
"""Names of values by the output that they are: `prediction` `[N]` or `[N, T]`, `probabilities` `[N, C]`, … all
`float64`; `index` `int64 [N]`: a classifier's label as a position in its classes, the count of classes for none."""
Thresholds = Mapping[str, Sequence[float]]
"""By column, the numbers at which the answer jumps."""


@dataclass(frozen=True)
class Kind:
    """How one kind of form becomes nodes. `thresholds(fields)`: what is worth probing."""

    convert: Callable[[Fields, Columns], Outputs]
    thresholds: Callable[[Fields], Thresholds] | None = None


def names() -> tuple[str, ...]:
    """The kinds that there is a file for, sorted."""
    files = Path(__file__).parent.glob("*.py")
    return tuple(sorted(path.stem for path in files if not path.stem.startswith("_")))


@cache
def kind_of(name: str) -> Kind:
    """The kind of that name; `Unreadable` where there is none."""
    if name not in names():
        raise Unreadable(f"the intermediate form is of the kind {name!r}, which this mlpack does not know")
    found: Kind = import_module(f".{name}", __package__).KIND
    return found
