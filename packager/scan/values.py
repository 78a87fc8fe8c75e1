"""What the scanner knows of a value on an unpickler's stack, without making the value.

`None`, `bool`, `int`, `str` and `tuple` stand for themselves; `UNKNOWN` for all that the scanner does not follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEPT_KEYS = 1024


class Fault(Exception):
    """The stream is not what a loader would read, or not what can be read without running it."""


class Final(Fault):
    """A fault that settles the matter: this is no other kind of file, and no added trust makes it readable."""


class Unknown:
    """A value that is not followed."""

    __slots__ = ()


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Global:
    """What `find_class` would give back for this name."""

    module: str
    name: str

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


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of this class, or what this function returns."""

    of: Global


@dataclass(eq=False, slots=True)
class Mapping:
    """A dict. `opaque`: keys unknown or too many. `shared`: reached twice. `spent`: part of a dtype or an array."""

    items: dict[str, Any] = field(default_factory=dict)
    opaque: bool = False
    shared: bool = False
    spent: bool = False

    def put(self, key: Any, value: Any) -> None:
        """Nothing; the entry is kept when its key is a plain string."""
        if self.spent:
            raise Fault("a dict changes after it has been used")
        if type(key) is not str or len(self.items) >= KEPT_KEYS:
            self.opaque = True
        else:
            self.items[key] = value

    def spend(self) -> dict[str, Any]:
        """The entries, for a use that allows no other reference to this dict, now or later."""
        if self.opaque or self.shared or self.spent:
            raise Fault("an array's description is not plain data")
        self.spent = True
        return self.items


TAINTED = frozenset({WrapperClass, WrapperArgs, Wrapper})
"""Types of values that may only be used in the exact way in which joblib writes them."""
