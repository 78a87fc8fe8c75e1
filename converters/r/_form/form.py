"""The intermediate form: the typed export of a fitted model from the R side; all numbers in double precision.

Version 1. Top level: `format`, `kind` (the file that converts it), `class` (R's), `r` (R's version), `task`, `inputs`,
`classes` (of a classifier), `status` (false where the model never refuses a row), then the fields of the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...rds import Fault, Item, plain, read
from ...spec import Unreadable

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1
TYPES = ("double", "logical", "factor", "ordered", "text", "any")


@dataclass(frozen=True)
class Fields:
    """Named values of the form, read by their type; raises `Unreadable` for a wrong type."""

    values: Mapping[str, Any]
    where: str = "the form"

    def _get(self, name: str, kinds: tuple[type, ...], what: str) -> Any:
        value = self.values.get(name)
        if not isinstance(value, kinds):
            raise Unreadable(f"{self.where}: {name} must be {what}, not {type(value).__name__}")
        return value

    def has(self, name: str) -> bool:
        """Returns whether the field is present, and not NULL."""
        return self.values.get(name) is not None

    def numbers(self, name: str) -> np.ndarray[Any, Any]:
        """Returns an array, with its dimensions in R (a plain vector: one)."""
        import numpy as np

        return np.asarray(self._get(name, (np.ndarray,), "numbers"))

    def integers(self, name: str) -> np.ndarray[Any, Any]:
        """Returns integers, `int64`."""
        import numpy as np

        return self.numbers(name).astype(np.int64)

    def number(self, name: str) -> float:
        """Returns the only number of a field."""
        values = self.numbers(name)
        if values.size != 1:
            raise Unreadable(f"{self.where}: {name} must be one number, not {values.size} numbers")
        return float(values.ravel()[0])

    def flag(self, name: str, default: bool = False) -> bool:
        """Returns a logical."""
        return bool(self.number(name)) if self.has(name) else default

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns the strings of a field; none where it is missing."""
        cells = self._get(name, (list,), "text") if self.has(name) else []
        if not all(isinstance(cell, str) for cell in cells):
            raise Unreadable(f"{self.where}: {name} must be text")
        return tuple(cells)

    def text(self, name: str) -> str:
        """Returns the only string of a field."""
        cells = self.texts(name)
        if len(cells) != 1:
            raise Unreadable(f"{self.where}: {name} must be one string, not {len(cells)}")
        return cells[0]

    def of(self, name: str) -> Fields:
        """Returns nested named values."""
        return Fields(self._get(name, (dict,), "named values"), f"{self.where}, {name}")

    def each(self, name: str) -> list[Fields]:
        """Returns a list of named values; empty where the field is missing."""
        found = self._get(name, (list, dict), "a list") if self.has(name) else []
        cells = list(found.values()) if isinstance(found, dict) else found
        return [Fields(cell, f"{self.where}, {name} {i}") for i, cell in enumerate(cells)]

    def arrays(self, name: str) -> list[np.ndarray[Any, Any]]:
        """Returns a list of arrays."""
        found = self._get(name, (list, dict), "a list of numbers")
        cells = found.values() if isinstance(found, dict) else found
        return [Fields({"": cell}, f"{self.where}, {name}").numbers("") for cell in cells]


@dataclass(frozen=True)
class Input:
    """One column that the model reads.

    `type`: `double`, `logical`, `factor`, `ordered`, `text`, or `any` (a column of numbers or text that the formula
    converts to a factor). `levels`: of a factor, in R's order; of another column those that the
    formula creates. `open`: the model also accepts other levels.
    """

    name: str
    type: str
    levels: tuple[str, ...] = ()
    open: bool = False

    @property
    def is_factor(self) -> bool:
        """Whether the column is a factor in R's data frame."""
        return self.type in ("factor", "ordered")


@dataclass(frozen=True)
class Form:
    """A model in the intermediate form."""

    kind: str
    classes_of_r: tuple[str, ...]
    r: str
    task: str
    inputs: tuple[Input, ...]
    classes: tuple[str, ...]
    status: bool
    fields: Fields

    @classmethod
    def of(cls, item: Item) -> Form:
        """Reads the form from R's output; raises `Unreadable` where it is not a form, or of another version."""
        values = plain(item)
        if not isinstance(values, dict):
            raise Unreadable("the intermediate form must be named values")
        return cls.of_values(values)

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Form:
        """Reads the form from named values."""
        fields = Fields(values)
        if fields.number("format") != FORMAT:
            raise Unreadable(
                f"the intermediate form has version {fields.number('format'):g}, this mlpack reads {FORMAT}"
            )
        return cls(
            fields.text("kind"),
            fields.texts("class"),
            fields.text("r"),
            fields.text("task"),
            tuple(_input(each) for each in fields.each("inputs")),
            fields.texts("classes"),
            fields.flag("status", default=True),
            fields,
        )

    @classmethod
    def read(cls, raw: bytes) -> Form:
        """Reads the form from a file that R wrote."""
        try:
            return cls.of(read(raw).root)
        except Fault as fault:
            raise Unreadable(f"the intermediate form cannot be read: {fault}") from fault


def _input(fields: Fields) -> Input:
    kind = fields.text("type")
    if kind not in TYPES:
        raise Unreadable(f"{fields.where}: the type {kind!r} is not one of {', '.join(TYPES)}")
    return Input(fields.text("name"), kind, fields.texts("levels"), fields.flag("open"))
