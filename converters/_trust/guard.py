"""Tracks the values of a file while it is loaded, and permits the calls that the rules allow."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from . import rules
from .calls import called, check_own_base, made, made_whole, role_of_class
from .natives import check_array, check_classes, check_numbers, needs_state
from .rules import Refused
from .states import check_state
from .tensors import is_layer

_BUILTIN = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray, tuple),
    *(list, dict, set, frozenset, slice, range),
)


class Name:
    """A name that may only be called, and the object that it stands for."""

    __slots__ = ("dotted", "value")

    def __init__(self, dotted: str, value: Any) -> None:
        self.dotted, self.value = dotted, value


class Args(tuple):  # type: ignore[type-arg]
    """A tuple with a `Name` in it: the arguments of a call, and nothing else."""

    __slots__ = ()


class Storage:
    """Raw memory of torch's, and the type and the number of its elements."""

    __slots__ = ("dtype", "elements", "raw")

    def __init__(self, raw: Any, dtype: Any, elements: int) -> None:
        self.raw, self.dtype, self.elements = raw, dtype, elements


class Trusted:
    """The names that the scan accepted: `own` only as the user allows them, `referred` as mentions, others listed."""

    def __init__(self, names: Iterable[str], own: Iterable[str], referred: Iterable[str]) -> None:
        self.names, self.own, self.referred = frozenset(names), frozenset(own), frozenset(referred)

    def use(self, dotted: str) -> str:
        """See `Trust.use` of the scan."""
        if dotted not in self.names:
            return ""
        return "own" if dotted in self.own else "referred" if dotted in self.referred else "listed"


class Guard:
    """Tracks the values of one file, as the `Look` of the rules. Shared by the pickles in it."""

    def __init__(self, trusted: Trusted) -> None:
        self.trusted = trusted
        self._roles: dict[Any, str] = {kind: kind.__name__ for kind in _BUILTIN}
        self._roles.update({Name: "name", Args: "args", memoryview: "buffer", Storage: "storage"})
        self._mentioned: dict[int, Name] = {}
        self._own: dict[int, Any] = {}
        self._built: dict[int, Any] = {}
        self._stateless: dict[int, Any] = {}

    def finish(self) -> None:
        """Raises `Refused` where an object that native code reads has no state at the end."""
        for value in self._stateless.values():
            raise Refused(f"creates a {type(value).__name__} without a state")

    def learn(self, dotted: str, value: Any) -> Any:
        """Returns the stack entry for a name."""
        use = self.trusted.use(dotted)
        if use == "listed":
            if isinstance(value, type) and self.role_of(value) == "?":
                self._roles[value] = role_of_class(dotted)
            if not is_layer(dotted):
                return Name(dotted, value)
        self._mentioned[id(value)] = Name(dotted, value)
        if use == "own":
            self._own[id(value)] = value
            if isinstance(value, type) and self.role_of(value) == "?":
                self._roles[value] = "own"
        return value

    def role(self, value: Any) -> str:
        if id(value) in self._own:
            return "own"
        if id(value) in self._mentioned:
            return "function"
        return self.role_of(type(value))

    def role_of(self, kind: type) -> str:
        """Returns the role of the objects of a class."""
        if kind not in self._roles:
            self._roles[kind] = _numpy_role(kind) if kind.__module__.split(".")[0] != "torch" else _torch_role(kind)
        return self._roles[kind]

    def name(self, value: Any) -> str:
        known = value if type(value) is Name else self._mentioned.get(id(value))
        return known.dotted if known is not None else ""

    def items(self, value: Any) -> tuple[Any, ...] | None:
        return value if type(value) in (tuple, Args) else None

    def texts(self, value: Any) -> tuple[str, ...] | None:
        if type(value) is str:
            return (value,)
        known = type(value) in (tuple, list) and all(type(v) is str for v in value)
        return tuple(value) if known else None

    def entries(self, value: Any) -> Mapping[Any, Any] | None:
        return value if type(value) is dict and all(type(key) is str for key in value) else None

    def fields(self, value: Any) -> Mapping[str, Any] | None:
        return self.entries(value)

    def dtype(self, value: Any) -> tuple[int | None, bool]:
        if self.role(value) != "dtype":
            return None, False
        self._built[id(value)] = value
        return value.itemsize, value.hasobject

    def unbuilt(self, value: Any) -> tuple[int | None, bool]:
        return (value.itemsize, value.hasobject) if self.role(value) == "dtype" else (None, False)

    def elements(self, value: Any) -> int | None:
        return value.elements if type(value) is Storage else None

    def kind(self, value: Any) -> str:
        return str(value.kind)

    def call(self, function: Any, args: Any) -> Any:
        """Calls the function and returns the result, whose role must be the one that the rules expect."""
        if type(function) is not Name:
            return self._call_own(function, args)
        if self.items(args) is None:
            raise Refused(f"calls {function.dotted} without a tuple of arguments")
        if function.dotted == "copyreg._reconstructor" and args and self.role(args[0]) == "own":
            check_own_base(args, self)
            return self._keep_own(function.value(*_plain(args)))
        role = called(function.dotted, args, self)
        if function.dotted == "sklearn.tree._tree.Tree":
            check_classes(args)
        return self._checked(function.dotted, role, function.value(*_plain(args)))

    def new(self, cls: Any, args: Any, named: Any = None) -> Any:
        """Calls `cls.__new__` and returns the result."""
        known = self._mentioned.get(id(cls))
        if known is not None and self.trusted.use(known.dotted) == "listed":
            cls = known
        if type(cls) is not Name:
            if self.role(cls) != "own" or not isinstance(cls, type):
                raise Refused(f"calls {self.name(cls) or 'a value'}, which it may only refer to")
            return self._keep_own(cls.__new__(cls, *_plain(args), **(named or {})))
        if named or not isinstance(cls.value, type) or self.items(args) is None:
            raise Refused(f"creates a {cls.dotted} in a way that no model does")
        role = made(cls.dotted, args, self)
        return self._checked(cls.dotted, role, cls.value.__new__(cls.value, *args))

    def _call_own(self, function: Any, args: Any) -> Any:
        if id(function) not in self._own or type(args) not in (tuple, Args):
            raise Refused(f"calls {self.name(function) or 'a value'}, which it may only refer to")
        return self._keep_own(function(*_plain(args)))

    def _keep_own(self, value: Any) -> Any:
        if self.role(value) == "?":
            self._own[id(value)] = value
        return value

    def _checked(self, dotted: str, role: str, value: Any) -> Any:
        if self.role_of(type(value)) == "?" and role in _MADE_ELSEWHERE:
            self._roles[type(value)] = role
        if self.role(value) != role:
            raise Refused(f"calls {dotted}, which returned an unexpected type")
        if made_whole(dotted):
            self._built[id(value)] = value
        elif needs_state(type(value)):
            self._stateless[id(value)] = value
        return value

    def _whole(self, value: Any) -> bool:
        return id(value) in self._built

    def build(self, target: Any, state: Any) -> None:
        """Sets the state through the target's class, on a copy that the file cannot change later."""
        if id(target) in self._built:
            raise Refused(f"sets a second state on one {type(target).__name__}")
        rules.check_stored(state if type(state) in (tuple, Args) else (state,), self)
        check_state(target, state, self, methods_of(type(target)))
        self._built[id(target)] = target
        self._built.update((id(part), part) for part in check_numbers(target, state, self._whole))
        self._stateless.pop(id(target), None)
        role = self.role(target)
        if role in ("array", "masked"):
            check_array(state)
        if role == "own":
            _set_own(target, state)
        elif hasattr(type(target), "__setstate__"):
            type(target).__setstate__(target, _own_copy(role, state))
        else:
            vars(target).update(_own_copy(role, state))


_MADE_ELSEWHERE = frozenset({"index", "arrow", "strings", "partial", "plain", "native"})
"""Roles of results whose class the file does not name."""


def _plain(args: Any) -> tuple[Any, ...]:
    return tuple(arg.value if type(arg) is Name else arg for arg in args)


def methods_of(cls: type) -> Any:
    """Returns a check whether the class has a method of a name, which an instance attribute would shadow."""
    return lambda key: inspect.isroutine(inspect.getattr_static(cls, key, None))


def _own_copy(role: str, state: Any) -> Any:
    """Copies the parts of the state that the file could change later."""
    if type(state) is dict:
        return {key: list(v) if key in rules.METHOD_KEYS and type(v) is list else v for key, v in state.items()}
    if role == "dtype":
        return tuple(dict(part) if type(part) is dict else part for part in state)
    return state


def _set_own(target: Any, state: Any) -> None:
    """Sets the state as `pickle` does, but only by the class's own `__setstate__`, and no attribute called by name."""
    if hasattr(type(target), "__setstate__"):
        type(target).__setstate__(target, state)
        return
    pair = state if type(state) is tuple and len(state) == 2 else (state, None)
    if any(type(part) not in (dict, type(None)) for part in pair):
        raise Refused("sets a state that is not a dict of plain names")
    for key, value in ((key, value) for part in pair for key, value in (part or {}).items()):
        if type(key) is not str or key in rules.MUTATORS or (key.startswith("__") and key.endswith("__")):
            raise Refused(f"sets `{key}`, which is a method, on an object while it loads")
        setattr(target, key, value) if _has_slot(target, key) else vars(target).__setitem__(key, value)


def _has_slot(target: Any, key: str) -> bool:
    """Returns whether the target's class has a slot or data descriptor for the attribute."""
    return inspect.isdatadescriptor(inspect.getattr_static(type(target), key, None)) or not hasattr(target, "__dict__")


_NUMPY_ROLES = {
    "ndarray": "array",
    "matrix": "array",
    "ma.MaskedArray": "masked",
    "random.RandomState": "random",
    "random.Generator": "random",
    **{f"random.{name}": "bits" for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")},
}


def _numpy_role(kind: type) -> str:
    """Returns the role of a numpy class; `?` for all others, or where numpy is not loaded yet."""
    numpy = sys.modules.get("numpy")
    if numpy is None or kind.__module__.split(".")[0] != "numpy":
        return "?"
    for place, role in _NUMPY_ROLES.items():
        if kind is _walked(numpy, place):
            return role
    if kind.__module__ in ("numpy", "numpy.dtypes"):
        return "dtype" if issubclass(kind, numpy.dtype) else "scalar" if issubclass(kind, numpy.generic) else "?"
    return "?"


def _torch_role(kind: type) -> str:
    """Returns the role of one of torch's own values; `?` for all other classes."""
    torch = sys.modules.get("torch")
    if torch is None:
        return "?"
    known = {torch.Tensor: "tensor", torch.nn.Parameter: "tensor", torch.Size: "size", torch.device: "device"}
    return known.get(kind, "?")


def _walked(module: Any, place: str) -> Any:
    for part in place.split("."):
        module = getattr(module, part, None)
    return module
