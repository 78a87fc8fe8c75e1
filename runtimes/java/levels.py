"""Types R's factors in a Java project: an enum per column, a constant per level."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fields import Column
from .names import ascii_words, javadoc, literal, words
from .reserved import TAKEN
from .text import escape

MAP = "BY_LEVEL"
"""The enum's one static field, which shares a namespace with the constants."""


@dataclass(frozen=True)
class Level:
    """One constant: its name and its level, as a literal and for a comment."""

    name: str
    text: str

    @property
    def literal(self) -> str:
        """The level as a string literal."""
        return literal(self.text)

    @property
    def says(self) -> str:
        """The level for a comment."""
        return f"<code>{javadoc(self.text)}</code>" if javadoc(self.text).strip() else "A text that does not show"


@dataclass(frozen=True)
class Levels:
    """The enum of one column. `nullable`: a row may have null there."""

    type: str
    column: str
    nullable: bool
    levels: tuple[Level, ...]

    @property
    def literal(self) -> str:
        """The column's name as a string literal."""
        return literal(self.column)

    @property
    def refusal(self) -> str:
        """The beginning of the message about an unknown level, as a string literal."""
        return literal(f'column "{self.column}" is ')

    @property
    def given(self) -> str:
        """The Java expression for an unknown level in that message."""
        quoted = '"\\"" + level + "\\""'
        return quoted if self.nullable else f'(level == null ? "missing (null)" : {quoted})'

    def constant(self, level: object) -> str:
        """The Java expression for a level; null or the first constant for a missing or unknown one."""
        names = {one.text: one.name for one in self.levels}
        known = names.get(level) if isinstance(level, str) else None
        if known is None and self.nullable:
            return "null"
        return f"{self.type}.{known or self.levels[0].name}"


def enums(found: Sequence[Column], escaped: Collection[str], model: str) -> dict[int, Levels]:
    """The enums of the factor columns by position. `model`: the name of the model's class."""
    places = [i for i, column in enumerate(found) if _is_enum(column, escaped)]
    types = type_names({i: found[i].name for i in places}, model)
    return {i: _levels(found[i], types[i]) for i in places}


def _is_enum(column: Column, escaped: Collection[str]) -> bool:
    """Whether every level can be passed to the graph; else the column stays text, and such a cell is refused."""
    if not column.rule.is_enum or column.width > 1:
        return False
    texts = [str(v) for v in column.rule.values or ()]
    travels = column.input in escaped or all(escape(t) == t for t in texts)
    return travels and not (column.rule.missing and column.rule.missing in texts)


def _levels(column: Column, name: str) -> Levels:
    texts = [str(v) for v in column.rule.values or ()]
    levels = tuple(Level(n, t) for n, t in zip(constants(texts), texts, strict=True))
    return Levels(name, column.name, column.rule.nullable, levels)


def type_names(columns: Mapping[int, str], model: str) -> dict[int, str]:
    """A PascalCase ASCII name per column; no two differ only in case, as each is a file."""
    reserved = {t.lower() for t in (*TAKEN, model)}
    taken = set(reserved)
    found = {}
    for place, column in columns.items():
        wish = _pascal(column) or f"Column{place + 1}"
        wish = f"{wish}Level" if wish.lower() in reserved else wish
        found[place] = _free(wish, "", taken, str.lower)
    return found


def _pascal(name: str) -> str:
    joined = "".join(w[0].upper() + w[1:] for w in ascii_words(name.lower() if name.isupper() else name))
    return f"Column{joined}" if joined[:1].isdigit() else joined


def constants(levels: Iterable[str]) -> list[str]:
    """One UPPER_SNAKE name per level, in order: `very good` is `VERY_GOOD`, the empty text `EMPTY`."""
    taken = {MAP}
    return [_free(_upper(text) or f"LEVEL_{n}", "_", taken, str) for n, text in enumerate(levels, 1)]


def _upper(text: str) -> str:
    if not text:
        return "EMPTY"
    joined = "_".join(words(re.sub("(?<=[a-z0-9])(?=[A-Z])", " ", text).upper()))
    return f"LEVEL_{joined}" if joined[:1].isdigit() else joined


def _free(wish: str, gap: str, taken: set[str], key: Any) -> str:
    """The wished name, with the first number that makes it unique where it is taken; reserves it."""
    choice, number = wish, 2
    while key(choice) in taken:
        choice, number = f"{wish}{gap}{number}", number + 1
    taken.add(key(choice))
    return choice
