"""The instructions that a pickle may use on each kind of value; anything else raises `Refused`.

A value is known by its *role* alone, which both sides determine for themselves: the scan from the instructions that
create a value, the guard from the object. Roles of plain data are the names of their exact types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Protocol

KEYS = frozenset(["NoneType", "bool", "int", "float", "complex", "str", "bytes", "tuple", "frozenset", "scalar", "own"])
"""Roles of possible keys and set members: hashing one calls nothing of the file's choosing."""

METHOD_KEYS = frozenset(
    ["stack_method", "stack_method_", "chain_method", "chain_method_", "_response_method", "response_method"]
)
"""Attributes that name a method which their owner calls."""

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
"""Roles that a file may only pass to their own instruction: no container and no state may contain one."""


NO_MODEL = "No trained model does this: do not load it, or save the model again if it is yours."


class Refused(Exception):
    """The refused action, as the rest of a sentence that starts with the file's name."""


class Look(Protocol):
    """How one side sees a value."""

    def role(self, value: Any) -> str:
        """Returns its role; `?` where it is unknown."""

    def name(self, value: Any) -> str:
        """Returns the dotted name that it stands for; empty for anything else."""

    def items(self, value: Any) -> tuple[Any, ...] | None:
        """Returns the items of a tuple; None where it is not a tuple, or they are unknown."""

    def texts(self, value: Any) -> tuple[str, ...] | None:
        """Returns a string, or those of a tuple or a list that cannot change any more; None for anything else."""

    def entries(self, value: Any) -> Mapping[Any, Any] | None:
        """Returns a dict's entries by string key; None where it is not a dict, or has other keys."""

    def dtype(self, value: Any) -> tuple[int | None, bool]:
        """Returns the element size of a dtype in bytes, None where unknown, and whether it holds objects. From now on
        the dtype must not change: numpy would reinterpret the arrays created with it."""

    def unbuilt(self, value: Any) -> tuple[int | None, bool]:
        """Returns the same for a dtype without state that was not used yet; None and False for anything else."""

    def kind(self, value: Any) -> str:
        """Returns numpy's type letter for a dtype."""

    def elements(self, value: Any) -> int | None:
        """Returns the number of elements of one of torch's storages; None for anything else."""

    def fields(self, value: Any) -> Mapping[str, Any] | None:
        """Returns the entries of a dict that nothing else refers to, now or later."""


Test = Callable[[Any, Look], bool]


def roles(*allowed: str) -> Test:
    """Tests whether a value has one of these roles."""
    return lambda value, look: look.role(value) in allowed


def named(*names: str) -> Test:
    """Tests whether a value is one of these names."""
    return lambda value, look: look.name(value) in names


def text(*texts: str) -> Test:
    """Tests whether a value is one of these strings."""
    return lambda value, look: look.role(value) == "str" and look.texts(value) in {(t,) for t in texts}


def either(*tests: Test) -> Test:
    """Tests whether one of the tests passes."""
    return lambda value, look: any(test(value, look) for test in tests)


def tuple_of(test: Test) -> Test:
    """Tests whether a value is a tuple whose items all pass the test."""

    def check(value: Any, look: Look) -> bool:
        items = look.items(value)
        return items is not None and all(test(item, look) for item in items)

    return check


def dict_of(**tests: Test) -> Test:
    """Tests whether a value is a dict of only these keys."""

    def check(value: Any, look: Look) -> bool:
        entries = look.entries(value)
        return entries is not None and all(k in tests and tests[k](v, look) for k, v in entries.items())

    return check


def storable(value: Any, look: Look) -> bool:
    """Returns whether a container or a state may contain the value."""
    return look.role(value) not in HOT


def matches(tests: tuple[Test, ...], values: tuple[Any, ...], look: Look) -> bool:
    """Returns whether there are as many values as tests, and each passes."""
    return len(tests) == len(values) and all(test(value, look) for test, value in zip(tests, values))


def check_stored(values: Iterable[Any], look: Look) -> None:
    """Raises `Refused` where a container may not contain one of the values."""
    for value in values:
        if look.role(value) in HOT:
            raise Refused(f"keeps {look.name(value) or 'part of a numpy array'} as a value while it loads")


def check_hashed(keys: Iterable[Any], look: Look) -> None:
    """Raises `Refused` where one of the values may not be a key."""
    for key in keys:
        if look.role(key) not in KEYS:
            raise Refused(f"has a {_article(look, key)} as a key")


def check_attributes(entries: Mapping[Any, Any], look: Look, methods: Callable[[str], bool]) -> None:
    """Raises `Refused` where a state would set more than data. `methods`: whether the class has such a method."""
    for key, value in entries.items():
        if (key.startswith("__") and key.endswith("__")) or key in MUTATORS or methods(key):
            raise Refused(f"sets `{key}`, which is a method, on an object while it loads")
        if key in TYPED and look.role(value) not in TYPED[key]:
            raise Refused(f"sets `{key}` of an object to a {_article(look, value)}")
        if key in METHOD_KEYS and look.role(value) != "NoneType":
            words = look.texts(value)
            if words is None or not METHOD_WORDS.issuperset(words):
                raise Refused(f"sets `{key}` to something other than a model's method")


def _article(look: Look, value: Any) -> str:
    return look.name(value) or look.role(value).replace("?", "value of unknown type")


APPENDED = frozenset({"list", "deque", "own"})
ADDED = frozenset({"set", "own"})
FILLED = frozenset({"dict", "mapping", "bunch", "own"})
_CALLED = {"append": APPENDED, "add": ADDED, "set an item": FILLED}


def check_target(what: str, target: Any, look: Look) -> None:
    """Raises `Refused` where an instruction that fills a container would call a method of another object."""
    if look.role(target) not in _CALLED[what]:
        raise Refused(f"tries to {what} on a {_article(look, target)}, which would call one of its methods")
