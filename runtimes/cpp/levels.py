"""Types R's factors in a C++ project: an `enum class` per column, an enumerator per level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlpack_toolkit.converters.spec import TensorSpec

from . import names as names
from .reserved import CLASSES

TAKEN = CLASSES | {"I"}
"""Names that an enum must not have: the project's own classes and a macro of `complex.h`."""


@dataclass(frozen=True)
class Levels:
    """The `enum class` of one column. `place`: index of its rule; `levels`: pairs of enumerator and text."""

    type: str
    column: str
    place: int
    levels: tuple[tuple[str, str], ...]

    @property
    def literal(self) -> str:
        """The column's name as a string literal."""
        return names.literal(self.column)

    @property
    def lines(self) -> list[str]:
        """One line per enumerator, from 1, so that a row that was not filled has none of them."""
        return [f"{n}{' = 1' * (not i)},  // {names.literal(text)}" for i, (n, text) in enumerate(self.levels)]

    def value(self, level: object, package: str) -> str:
        """The C++ expression for a level; for a missing or unknown one, that of the first level."""
        known = {text: name for name, text in self.levels}
        return f"{package}::{self.type}::{known.get(str(level), self.levels[0][0])}"


def enums(columns: Sequence[TensorSpec], package: str) -> dict[int, Levels]:
    """The enums of the factor columns, by position among all columns."""
    places = [i for i, column in enumerate(columns) if _is_enum(column)]
    types = type_names({i: columns[i].name for i in places}, package)
    return {i: _levels(columns[i], types[i], i) for i in places}


def _is_enum(column: TensorSpec) -> bool:
    """Whether every level can be passed to the graph; else the column stays text, and such a cell is refused."""
    texts = [str(v) for v in column.values or ()]
    return column.is_enum and not any("\0" in t for t in texts) and not (column.missing and column.missing in texts)


def _levels(column: TensorSpec, name: str, place: int) -> Levels:
    texts = [str(v) for v in column.values or ()]
    return Levels(name, column.name, place, tuple(zip(enumerators(texts), texts, strict=True)))


def enumerators(levels: Sequence[str]) -> list[str]:
    """One snake_case name per level, in order: `very good` is `very_good`, the empty text `empty`."""
    return names.unique_names([text or "empty" for text in levels], "level")


def type_names(columns: Mapping[int, str], package: str) -> dict[int, str]:
    """A PascalCase ASCII name per column, different from the project's own classes."""
    reserved = {*TAKEN, names.class_name(package)}
    taken = set(reserved)
    found = {}
    for place, column in columns.items():
        plain = names.snake_case(column, f"column_{place + 1}").strip("_")
        wish = "".join(part[0].upper() + part[1:] for part in plain.split("_"))
        wish = choice = f"{wish}Level" if wish in reserved else wish
        number = 2
        while choice in taken:
            choice, number = f"{wish}{number}", number + 1
        taken.add(choice)
        found[place] = choice
    return found
