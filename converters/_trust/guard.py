"""Unpicklers that hold every instruction against the rules, with the real objects in their hands.

They build on pickle's Python implementation, as joblib's does. A name that may only be called never stands on their
stack as itself but as a `Name`, so nothing but the instruction that calls it can get hold of what it stands for.
"""

from __future__ import annotations

import _compat_pickle
import inspect
import pickle
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from . import rules
from .calls import called, made, role_of_class
from .rules import Refused
from .states import check_state

_SUBCLASSES = ("numpy.ndarray", "numpy.matrix", "numpy.matrixlib.defmatrix.matrix")
_WRAPPED = frozenset(["subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"])
_BUILTIN = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray, tuple),
    *(list, dict, set, frozenset, slice, range),
)


class Forbidden(Exception):
    """The file asks for what no model does."""


class Name:
    """A name that may only be called, and what it stands for."""

    __slots__ = ("dotted", "value")

    def __init__(self, dotted: str, value: Any) -> None:
        self.dotted, self.value = dotted, value


class Args(tuple):  # type: ignore[type-arg]
    """A tuple with a `Name` in it: the arguments of a call, and nothing else."""

    __slots__ = ()


class Trusted:
    """The names that the scan passed: `own` by the user's word alone, `referred` to be mentioned, the rest listed."""

    def __init__(self, names: Iterable[str], own: Iterable[str], referred: Iterable[str]) -> None:
        self.names, self.own, self.referred = frozenset(names), frozenset(own), frozenset(referred)

    def use(self, dotted: str) -> str:
        """See `Trust.use` of the scan."""
        if dotted not in self.names:
            return ""
        return "own" if dotted in self.own else "referred" if dotted in self.referred else "listed"


class Guard:
    """What is known of the values of one file: the rules' `Look` at them. Shared by the pickles in it."""

    def __init__(self, trusted: Trusted) -> None:
        self.trusted = trusted
        self._roles: dict[Any, str] = {kind: kind.__name__ for kind in _BUILTIN}
        self._roles.update({Name: "name", Args: "args", memoryview: "buffer"})
        self._mentioned: dict[int, Name] = {}
        self._own: dict[int, Any] = {}
        self._built: dict[int, Any] = {}
        self._know_numpy()

    def _know_numpy(self) -> None:
        try:
            import numpy as np
        except ImportError:
            return
        self._roles.update({np.ndarray: "array", np.matrix: "array", np.ma.MaskedArray: "masked"})
        for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
            if hasattr(np.random, name):
                self._roles[getattr(np.random, name)] = "bits"
        self._roles.update({np.random.RandomState: "random", np.random.Generator: "random"})
        self._generic, self._dtype = np.generic, np.dtype

    def learn(self, dotted: str, value: Any) -> Any:
        """What stands on the stack for a name."""
        use = self.trusted.use(dotted)
        if use == "listed":
            if isinstance(value, type) and value not in self._roles:
                self._roles[value] = role_of_class(dotted)
            return Name(dotted, value)
        self._mentioned[id(value)] = Name(dotted, value)
        if use == "own":
            self._own[id(value)] = value
            if isinstance(value, type) and value not in self._roles:
                self._roles[value] = "own"
        return value

    def role(self, value: Any) -> str:
        if id(value) in self._own:
            return "own"
        if id(value) in self._mentioned:
            return "function"
        kind = type(value)
        return self._roles.get(kind) or self._new_role(kind)

    def _new_role(self, kind: type) -> str:
        role = "?"
        if hasattr(self, "_generic") and kind.__module__ in ("numpy", "numpy.dtypes"):
            role = "dtype" if issubclass(kind, self._dtype) else "scalar" if issubclass(kind, self._generic) else "?"
        self._roles[kind] = role
        return role

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

    def kind(self, value: Any) -> str:
        return str(value.kind)

    def call(self, function: Any, args: Any) -> Any:
        """What the call makes, which is of the role that the rules say."""
        if type(function) is not Name:
            return self._call_own(function, args)
        if self.items(args) is None:
            raise Refused(f"calls {function.dotted} without a tuple of arguments")
        role = called(function.dotted, args, self)
        return self._checked(function.dotted, role, function.value(*_plain(args)))

    def new(self, cls: Any, args: Any, named: Any = None) -> Any:
        """What `cls.__new__` makes."""
        if type(cls) is not Name:
            if self.role(cls) != "own" or not isinstance(cls, type):
                raise Refused(f"calls {self.name(cls) or 'a value'}, which it may only mention")
            return self._keep_own(cls.__new__(cls, *_plain(args), **(named or {})))
        if named or not isinstance(cls.value, type) or self.items(args) is None:
            raise Refused(f"makes a {cls.dotted} in a way in which no model does")
        role = made(cls.dotted, args, self)
        return self._checked(cls.dotted, role, cls.value.__new__(cls.value, *args))

    def _call_own(self, function: Any, args: Any) -> Any:
        if id(function) not in self._own or type(args) not in (tuple, Args):
            raise Refused(f"calls {self.name(function) or 'a value'}, which it may only mention")
        return self._keep_own(function(*_plain(args)))

    def _keep_own(self, value: Any) -> Any:
        if self.role(value) == "?":
            self._own[id(value)] = value
        return value

    def _checked(self, dotted: str, role: str, value: Any) -> Any:
        if self._roles.get(type(value)) is None and role in _MADE_ELSEWHERE:
            self._roles[type(value)] = role
        if self.role(value) != role:
            raise Refused(f"calls {dotted}, which makes something else than it should")
        return value

    def build(self, target: Any, state: Any) -> None:
        """Nothing; the state is set by the target's class, on data of its own."""
        if id(target) in self._built:
            raise Refused(f"sets a second state on one {type(target).__name__}")
        rules.check_stored(state if type(state) in (tuple, Args) else (state,), self)
        check_state(target, state, self, _methods_of(type(target)))
        self._built[id(target)] = target
        role = self.role(target)
        if role == "own":
            _set_own(target, state)
        elif hasattr(type(target), "__setstate__"):
            type(target).__setstate__(target, _own_copy(role, state))
        else:
            vars(target).update(_own_copy(role, state))


_MADE_ELSEWHERE = frozenset({"index", "arrow", "strings", "partial", "plain", "native"})
"""Roles of what a function makes whose class the file does not name."""


def _plain(args: Any) -> tuple[Any, ...]:
    return tuple(arg.value if type(arg) is Name else arg for arg in args)


def _methods_of(cls: type) -> Any:
    """Whether the class has a method of that name, which an object's own attribute would stand before."""
    return lambda key: inspect.isroutine(inspect.getattr_static(cls, key, None))


def _own_copy(role: str, state: Any) -> Any:
    """The state without a part that the file could change later."""
    if type(state) is dict:
        return {key: list(v) if key in rules.METHOD_KEYS and type(v) is list else v for key, v in state.items()}
    if role == "dtype":
        return tuple(dict(part) if type(part) is dict else part for part in state)
    return state


def _set_own(target: Any, state: Any) -> None:
    """As `pickle` sets it, but by the class's own `__setstate__` alone, and no attribute that is called by name."""
    if hasattr(type(target), "__setstate__"):
        type(target).__setstate__(target, state)
        return
    pair = state if type(state) is tuple and len(state) == 2 else (state, None)
    if any(type(part) not in (dict, type(None)) for part in pair):
        raise Refused("sets a state that is no dict of plain names")
    for key, value in ((key, value) for part in pair for key, value in (part or {}).items()):
        if type(key) is not str or key in rules.MUTATORS or (key.startswith("__") and key.endswith("__")):
            raise Refused(f"sets `{key}`, which is a method, on an object while it loads")
        setattr(target, key, value) if part_has_slot(target, key) else vars(target).__setitem__(key, value)


def part_has_slot(target: Any, key: str) -> bool:
    """Whether the attribute has a place of its own in the target's class."""
    return inspect.isdatadescriptor(inspect.getattr_static(type(target), key, None)) or not hasattr(target, "__dict__")


def modern(protocol: int, module: str, name: str) -> str:
    """The dotted name that `find_class` looks up: Python 3's for one of Python 2 below protocol 3."""
    if protocol < 3:
        renamed = _compat_pickle.NAME_MAPPING.get((module, name))
        module, name = renamed or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
    return f"{module}.{name}"


def guarded(base: Any) -> Any:
    """A class of unpicklers like `base`, which is `pickle._Unpickler` or joblib's, with a `guard` that must be set."""

    class Guarded(base):  # type: ignore[misc]
        dispatch: ClassVar[dict[int, Any]] = dict(base.dispatch)
        guard: Guard

        def find_class(self, module: str, name: str) -> Any:
            dotted = modern(getattr(self, "proto", 0), module, name)
            if not self.guard.trusted.use(dotted):
                raise Refused(f"asks for {dotted}, which the scan of the file did not see")
            return self.guard.learn(dotted, super().find_class(module, name))

        def get_extension(self, code: int) -> Any:
            raise Refused("asks for a name by a number")

        def persistent_load(self, pid: Any) -> Any:
            raise Refused("holds a persistent id")

        def _instantiate(self, klass: Any, args: Any) -> None:
            self.append(self.guard.call(klass, _packed(args)))

    for code, handler in _HANDLERS.items():
        Guarded.dispatch[code[0]] = handler
    if hasattr(base, "np") or base is not pickle._Unpickler:
        Guarded.dispatch[pickle.BUILD[0]] = _joblib_build(base)
    return Guarded


def _packed(items: Iterable[Any]) -> Any:
    values = tuple(items)
    return values if _HOT.isdisjoint(map(type, values)) else Args(values)


_HOT = frozenset({Name, Args})
_PLAIN_KEYS = frozenset({str, int, bool, type(None)})


def _reduce(self: Any) -> None:
    args = self.stack.pop()
    self.stack[-1] = self.guard.call(self.stack[-1], args)


def _newobj(self: Any) -> None:
    args = self.stack.pop()
    self.append(self.guard.new(self.stack.pop(), args))


def _newobj_ex(self: Any) -> None:
    named, args = self.stack.pop(), self.stack.pop()
    self.append(self.guard.new(self.stack.pop(), args, named))


def _build(self: Any) -> None:
    state = self.stack.pop()
    self.guard.build(self.stack[-1], state)


def _stored(self: Any, values: list[Any]) -> None:
    kinds = set(map(type, values))
    if not kinds <= _PLAIN_KEYS:
        rules.check_stored(values, self.guard)


def _append(self: Any) -> None:
    value = self.stack.pop()
    _extend(self, self.stack[-1], [value])


def _appends(self: Any) -> None:
    values = self.pop_mark()
    _extend(self, self.stack[-1], values)


def _extend(self: Any, target: Any, values: list[Any]) -> None:
    rules.check_target("append", target, self.guard)
    _stored(self, values)
    if type(target) is list:
        target.extend(values)
        return
    for value in values:
        type(target).append(target, value)


def _additems(self: Any) -> None:
    values = self.pop_mark()
    target = self.stack[-1]
    rules.check_target("add", target, self.guard)
    rules.check_hashed(values, self.guard)
    for value in values:
        type(target).add(target, value)


def _setitem(self: Any) -> None:
    value, key = self.stack.pop(), self.stack.pop()
    _fill(self, self.stack[-1], [key], [value])


def _setitems(self: Any) -> None:
    items = self.pop_mark()
    _fill(self, self.stack[-1], items[::2], items[1::2])


def _dict(self: Any) -> None:
    items = self.pop_mark()
    made_: dict[Any, Any] = {}
    _fill(self, made_, items[::2], items[1::2])
    self.append(made_)


def _fill(self: Any, target: Any, keys: list[Any], values: list[Any]) -> None:
    rules.check_target("set an item", target, self.guard)
    if not _PLAIN_KEYS.issuperset(map(type, keys)):
        rules.check_hashed(keys, self.guard)
    if Name in map(type, values):
        values = [v.value if _names_array(k, v) else v for k, v in zip(keys, values)]
    _stored(self, values)
    if self.guard.role(target) == "bunch":
        if any(type(key) is not str for key in keys):
            raise Refused("has a Bunch with a key that is no plain name")
        rules.check_attributes(dict(zip(keys, values)), self.guard, _methods_of(type(target)))
    if type(target) is dict:
        target.update(zip(keys, values))
        return
    for key, value in zip(keys, values):
        type(target).__setitem__(target, key, value)


def _names_array(key: Any, value: Any) -> bool:
    """Whether it is the entry by which joblib says of which class an array is."""
    return key == "subclass" and type(value) is Name and value.dotted in _SUBCLASSES


def _tuple(size: int) -> Any:
    def handler(self: Any) -> None:
        items = self.stack[-size:] if size else self.pop_mark()
        if size:
            del self.stack[-size:]
        self.append(_packed(items))

    return handler


def _list(self: Any) -> None:
    values = self.pop_mark()
    _stored(self, values)
    self.append(list(values))


def _frozenset(self: Any) -> None:
    values = self.pop_mark()
    rules.check_hashed(values, self.guard)
    self.append(frozenset(values))


def _stop(self: Any) -> None:
    rules.check_stored([self.stack[-1]], self.guard)
    raise pickle._Stop(self.stack.pop())  # type: ignore[attr-defined]


_HANDLERS = {
    pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _newobj,
    pickle.NEWOBJ_EX: _newobj_ex,
    pickle.BUILD: _build,
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.ADDITEMS: _additems,
    pickle.SETITEM: _setitem,
    pickle.SETITEMS: _setitems,
    pickle.DICT: _dict,
    pickle.LIST: _list,
    pickle.FROZENSET: _frozenset,
    pickle.TUPLE: _tuple(0),
    pickle.TUPLE1: _tuple(1),
    pickle.TUPLE2: _tuple(2),
    pickle.TUPLE3: _tuple(3),
    pickle.STOP: _stop,
}


def _joblib_build(base: Any) -> Any:
    """joblib's own BUILD, for its wrapper of an array alone; an array of objects is a pickle within the file."""

    def handler(self: Any) -> None:
        target = self.stack[-2]
        if self.guard.role(target) != "wrapper":
            _build(self)
            return
        _check_wrapped(self.guard, self.stack[-1])
        if self.stack[-1]["dtype"].hasobject:
            inner = guarded(pickle._Unpickler)(self.file_handle)
            inner.guard = self.guard
            self.stack[-2:] = [inner.load()]
        else:
            base.load_build(self)

    return handler


def _check_wrapped(guard: Guard, state: Any) -> None:
    entries = guard.entries(state)
    if entries is None or not entries.keys() <= _WRAPPED or not {"subclass", "shape", "dtype"} <= entries.keys():
        raise Refused("describes an array in an unknown way")
    shape = guard.items(entries["shape"])
    plain = shape is not None and all(type(n) is int and n >= 0 for n in shape)
    if not plain or guard.role(entries["dtype"]) != "dtype" or guard._roles.get(entries["subclass"]) != "array":
        raise Refused("describes an array in an unknown way")
