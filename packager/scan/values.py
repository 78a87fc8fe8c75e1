"""Symbols for values on an unpickler's stack, without creating the values.

`None`, `bool`, `int`, `str` and `tuple` stand for themselves; `UNKNOWN` for values that the scanner does not follow.
The rules of `converters._trust` decide by a value's role.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

KEPT_KEYS = 1024
KEPT_MEMBERS = 64


class Fault(Exception):
    """The stream is not loadable, or cannot be read without running it."""


class Final(Fault):
    """A final fault: the file is of no other kind, and no `--allow` makes it readable."""


class Unknown:
    """A value that the scanner does not follow."""

    __slots__ = ()


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Global:
    """The result of `find_class` for this name. `use`: see `Trust.use`."""

    module: str
    name: str
    use: str = field(default="", compare=False)

    @property
    def dotted(self) -> str:
        return f"{self.module}.{self.name}"


class WrapperClass(Global):
    """joblib's `NumpyArrayWrapper`: BUILD on an instance makes joblib read raw bytes."""


class WrapperArgs(tuple[Any, ...]):
    """The arguments that make an array wrapper in protocols 0 and 1."""

    __slots__ = ()


class Wrapper:
    """An array wrapper that has no state yet."""

    __slots__ = ()


class Args(tuple[Any, ...]):
    """A tuple that contains a name that may only be called; it may only be the arguments of a call."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Instance:
    """An object of this class, or the result of this function. `built`: its state is set. `elements`: of a storage."""

    of: Global
    role: str
    built: bool = False
    elements: int = 0


def plain(name: str) -> Instance:
    """An unknown value of this built-in type."""
    return Instance(Global("builtins", name), name)


@dataclass(eq=False, slots=True)
class Listing:
    """A list. `members`: its first members. `opaque`: it has more. `spent`: used in a way that allows no change."""

    members: list[Any] = field(default_factory=list)
    opaque: bool = False
    spent: bool = False

    def put(self, values: Sequence[Any]) -> None:
        """Adds the values."""
        if self.spent:
            raise Fault("a list changes after it has been used")
        if len(self.members) + len(values) > KEPT_MEMBERS:
            self.opaque = True
        else:
            self.members.extend(v if type(v) is str else None for v in values)


@dataclass(eq=False, slots=True)
class Mapping:
    """A dict. `opaque`: keys unknown or too many. `shared`: reached twice. `spent`: part of a dtype or an array."""

    items: dict[str, Any] = field(default_factory=dict)
    opaque: bool = False
    shared: bool = False
    spent: bool = False

    def put(self, key: Any, value: Any) -> None:
        """Records the entry if its key is a plain string."""
        if self.spent:
            raise Fault("a dict changes after it has been used")
        if type(key) is not str or len(self.items) >= KEPT_KEYS:
            self.opaque = True
        else:
            self.items[key] = value

    def spend(self) -> dict[str, Any]:
        """The entries, for a use that forbids any other reference to this dict, now or later."""
        if self.opaque or self.shared or self.spent:
            raise Fault("an array's description is not plain data")
        self.spent = True
        return self.items


@dataclass(eq=False)
class Dtype:
    """A numpy dtype. `itemsize` in bytes; None when the dtype was not made in the way in which numpy pickles it."""

    kind: str
    itemsize: int | None
    has_object: bool = False
    built: bool = False


TAINTED = frozenset({WrapperClass, WrapperArgs, Wrapper})
"""Types of values that may only be used exactly as joblib writes them."""
