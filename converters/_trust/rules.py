"""What each instruction of a pickle may do to which kind of value; `Refused` says what a file wants besides.

A value is known by its *role* alone, which both sides find for themselves: the scan from the instructions that make a
value, the guard from the object. Roles of plain data are the names of their exact types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Protocol

KEYS = frozenset(["NoneType", "bool", "int", "float", "complex", "str", "bytes", "tuple", "frozenset", "scalar", "own"])
"""Roles of what may be a key or a member of a set: hashing one calls nothing of the file's choosing."""

METHOD_KEYS = frozenset(
    ["stack_method", "stack_method_", "chain_method", "chain_method_", "_response_method", "response_method"]
)
"""Attributes that name the method which their owner calls."""

METHOD_WORDS = frozenset(
    ["auto", "default", "predict", "predict_proba", "decision_function", "predict_log_proba", "score"]
)
MUTATORS = frozenset({"append", "extend", "add", "update"})
"""Methods of any object that pickle's own loaders call by name."""

TYPED = {
    "_handle": ("NoneType", "str"),
    "handle": ("NoneType", "str", "bytearray"),
    "__model": ("bytes",),
    "_score_func": ("function", "own"),
}
"""Attributes on whose type native code, or a call, relies."""

HOT = frozenset({"name", "args", "wrapper"})
"""Roles of what a file may only hand to the instruction that it is for: no container and no state may hold one."""


NO_MODEL = "No model that is made by training does this: do not load it, or save the model again if it is yours."


class Refused(Exception):
    """What the file wants, as the rest of a sentence that starts with the file's name."""


class Look(Protocol):
    """How one side sees a value."""

    def role(self, value: Any) -> str:
        """Its role; `?` where it is not known."""

    def name(self, value: Any) -> str:
        """The dotted name that it stands for; empty for all else."""

    def items(self, value: Any) -> tuple[Any, ...] | None:
        """The members of a tuple; None where it is none, or they are not known."""

    def texts(self, value: Any) -> tuple[str, ...] | None:
        """A text, or those of a tuple or a list that does not change any more; None for all else."""

    def entries(self, value: Any) -> Mapping[Any, Any] | None:
        """What a dict holds by its texts; None where it is no dict, or has other keys."""

    def dtype(self, value: Any) -> tuple[int | None, bool]:
        """Bytes of an element of a dtype, None where they are not known, and whether it holds objects. From now on the
        dtype may not be changed: numpy would read what was made of it as something else."""

    def unbuilt(self, value: Any) -> tuple[int | None, bool]:
        """The same of a dtype that has no state yet, and that nothing was made of; None and False for all else."""

    def kind(self, value: Any) -> str:
        """numpy's letter for a dtype."""

    def fields(self, value: Any) -> Mapping[str, Any] | None:
        """The entries of a dict that nothing else refers to, now or later."""


Test = Callable[[Any, Look], bool]


def roles(*allowed: str) -> Test:
    """Whether a value has one of these roles."""
    return lambda value, look: look.role(value) in allowed


def named(*names: str) -> Test:
    """Whether a value is one of these names."""
    return lambda value, look: look.name(value) in names


def text(*texts: str) -> Test:
    """Whether a value is one of these texts."""
    return lambda value, look: look.role(value) == "str" and look.texts(value) in {(t,) for t in texts}


def either(*tests: Test) -> Test:
    """Whether one of the tests holds."""
    return lambda value, look: any(test(value, look) for test in tests)


def tuple_of(test: Test) -> Test:
    """Whether a value is a tuple of such members only."""

    def check(value: Any, look: Look) -> bool:
        items = look.items(value)
        return items is not None and all(test(item, look) for item in items)

    return check


def dict_of(**tests: Test) -> Test:
    """Whether a value is a dict of these keys only."""

    def check(value: Any, look: Look) -> bool:
        entries = look.entries(value)
        return entries is not None and all(k in tests and tests[k](v, look) for k, v in entries.items())

    return check


def storable(value: Any, look: Look) -> bool:
    """Whether a container or a state may hold the value."""
    return look.role(value) not in HOT


def matches(tests: tuple[Test, ...], values: tuple[Any, ...], look: Look) -> bool:
    """Whether there are as many values as tests, and each holds."""
    return len(tests) == len(values) and all(test(value, look) for test, value in zip(tests, values))


def check_stored(values: Iterable[Any], look: Look) -> None:
    """Nothing; `Refused` where a container may not hold one of the values."""
    for value in values:
        if look.role(value) in HOT:
            raise Refused(f"keeps {look.name(value) or 'part of a numpy array'} as a value while it loads")


def check_hashed(keys: Iterable[Any], look: Look) -> None:
    """Nothing; `Refused` where one of the values may not be a key."""
    for key in keys:
        if look.role(key) not in KEYS:
            raise Refused(f"has a {_article(look, key)} as a key")


def check_attributes(entries: Mapping[Any, Any], look: Look, methods: Callable[[str], bool]) -> None:
    """Nothing; `Refused` where a state would set what is not data. `methods`: whether the class has such a method."""
    for key, value in entries.items():
        if (key.startswith("__") and key.endswith("__")) or key in MUTATORS or methods(key):
            raise Refused(f"sets `{key}`, which is a method, on an object while it loads")
        if key in TYPED and look.role(value) not in TYPED[key]:
            raise Refused(f"sets `{key}` of an object to a {_article(look, value)}")
        if key in METHOD_KEYS and look.role(value) != "NoneType":
            words = look.texts(value)
            if words is None or not METHOD_WORDS.issuperset(words):
                raise Refused(f"sets `{key}` to something else than the methods that models have")


def _article(look: Look, value: Any) -> str:
    return look.name(value) or look.role(value).replace("?", "value that is not known")


APPENDED = frozenset({"list", "deque", "own"})
ADDED = frozenset({"set", "own"})
FILLED = frozenset({"dict", "mapping", "bunch", "own"})
_CALLED = {"append": APPENDED, "add": ADDED, "set an item": FILLED}


def check_target(what: str, target: Any, look: Look) -> None:
    """Nothing; `Refused` where an instruction that fills a container would call a method of another object."""
    if look.role(target) not in _CALLED[what]:
        raise Refused(f"wants to {what} to a {_article(look, target)}, which would call a method of it")
