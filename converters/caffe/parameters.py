"""The parameters of a layer, read by name with Caffe's own defaults; one that nobody has read is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .._caffe_files.text import Message, Node, Scalar
from ..spec import Unreadable, Unsupported

INERT = {"weight_filler", "bias_filler", "filler", "scale_filler", "engine", "force_nd_im2col", "stable_prod_grad"}
"""Fields without a meaning once a net is trained: initial values, and a choice of kernels."""
_FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_LARGEST = {"": 1 << 31, "unsigned": 1 << 31}


@dataclass
class Parameters:
    """The fields of the messages whose names end in `_param`, of which one is the layer's own kind.

    `where`: the layer, for messages. `read`: the fields that were asked for, so that what is left can be refused.
    """

    messages: list[tuple[str, Node]]
    where: str
    read: set[str] = field(default_factory=set)

    def of(self, name: str) -> Fields:
        """The fields of the message `name`, empty where the layer has none."""
        self.read.add(name)
        found = [value for key, value in self.messages if key == name]
        if len(found) > 1 or any(not isinstance(value, Message) for value in found):
            raise Unreadable(f"{self.where} has {name} more than once, or without braces")
        return Fields([pair for each in found if isinstance(each, Message) for pair in each.fields], self.where)

    def check_all_read(self) -> None:
        """Nothing. Raises `Unsupported` for a message that no one asked for."""
        for name, value in self.messages:
            if name not in self.read:
                raise Unsupported(
                    f"{self.where} has {name} (line {value.line}), which its type does not take: remove it"
                )


@dataclass
class Fields:
    """The fields of one message."""

    fields: list[tuple[str, Node]]
    where: str
    read: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        """Whether the field is given."""
        return any(key == name for key, _ in self.fields)

    def integers(self, name: str, least: int = 0) -> list[int]:
        """The values of a field of whole numbers, each `least` at least."""
        return [self._integer(name, each, least) for each in self._scalars(name)]

    def integer(self, name: str, default: int | None = None, least: int = 0) -> int:
        """The value of a field that is a whole number; without a default it must be given."""
        found = self._one(name)
        if found is None:
            return self._required(name, default)
        return self._integer(name, found, least)

    def numbers(self, name: str) -> list[float]:
        """The values of a field of numbers."""
        return [self._number(name, each) for each in self._scalars(name)]

    def number(self, name: str, default: float | None = None) -> float:
        """The value of a field that is a number."""
        found = self._one(name)
        return self._required(name, default) if found is None else self._number(name, found)

    def flag(self, name: str, default: bool) -> bool:
        """The value of a field that is true or false."""
        found = self._one(name)
        if found is None:
            return default
        if found.text not in _FLAGS:
            raise self._wrong(name, found, "true or false")
        return _FLAGS[found.text]

    def word(self, name: str, default: str, among: tuple[str, ...]) -> str:
        """The value of a field that is one of some words, or the number of one."""
        found = self._one(name)
        if found is None:
            return default
        if found.text in among:
            return found.text
        if found.text.isdigit() and int(found.text[:4]) < len(among):
            return among[int(found.text)]
        raise self._wrong(name, found, f"one of {', '.join(among)}")

    def message(self, name: str) -> Fields:
        """The fields of a message inside."""
        self.read.add(name)
        found = [value for key, value in self.fields if key == name]
        if len(found) > 1 or any(not isinstance(value, Message) for value in found):
            raise Unreadable(f"{self.where} has {name} more than once, or without braces")
        return Fields([pair for each in found if isinstance(each, Message) for pair in each.fields], self.where)

    def check_all_read(self, *inert: str) -> None:
        """Nothing. Raises `Unsupported` for a field that no one asked for, for it may change the answer."""
        for name, value in self.fields:
            if name not in self.read | INERT | set(inert):
                raise Unsupported(
                    f"{self.where} sets {name} (line {value.line}), which is not known for its type: remove it if it "
                    "changes no answer, else write the layer another way"
                )

    def _required(self, name: str, default: float | None) -> int:
        if default is None:
            raise Unreadable(f"{self.where} lacks {name}: give it")
        return default  # type: ignore[return-value]

    def _scalars(self, name: str) -> list[Scalar]:
        self.read.add(name)
        found = [value for key, value in self.fields if key == name]
        for each in found:
            if not isinstance(each, Scalar):
                raise Unreadable(f"{self.where} has {name} (line {each.line}) as a message, and it is a value")
        return [each for each in found if isinstance(each, Scalar)]

    def _one(self, name: str) -> Scalar | None:
        found = self._scalars(name)
        if len(found) > 1:
            raise Unreadable(f"{self.where} gives {name} {len(found)} times, and it may be given once")
        return found[0] if found else None

    def _integer(self, name: str, value: Scalar, least: int) -> int:
        digits = value.text[1:] if value.text[:1] in "+-" else value.text
        if value.quoted or not digits.isascii() or not digits.isdigit() or len(digits) > 10:
            raise self._wrong(name, value, "a whole number")
        found = int(value.text)
        if not least <= found < 1 << 31:
            raise self._wrong(name, value, f"a whole number from {least}, below 2147483648")
        return found

    def _number(self, name: str, value: Scalar) -> float:
        text = value.text[:-1] if value.text[-1:] in "fF" and value.text[-2:-1].isdigit() else value.text
        try:
            found = float(text)
        except ValueError:
            raise self._wrong(name, value, "a number") from None
        if value.quoted or not math.isfinite(found):
            raise self._wrong(name, value, "a finite number")
        return found

    def _wrong(self, name: str, value: Scalar, what: str) -> Unreadable:
        shown = value.text[:24]
        return Unreadable(f"{self.where} has {name}: {shown} (line {value.line}), and it is {what}")
