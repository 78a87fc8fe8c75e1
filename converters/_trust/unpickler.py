"""Unpicklers that check every instruction against the rules, on the real objects.

They build on pickle's Python implementation, as joblib's does. A name that may only be called is never on their
stack itself, only as a `Name`, so that nothing but the call instruction can reach the object that it stands for.
"""

from __future__ import annotations

import _compat_pickle
import pickle
from collections.abc import Iterable
from typing import Any, ClassVar

from . import rules
from .guard import Args, Guard, Name, methods_of
from .rules import Refused

_SUBCLASSES = ("numpy.ndarray", "numpy.matrix", "numpy.matrixlib.defmatrix.matrix")
_WRAPPED = frozenset(["subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"])


def modern(protocol: int, module: str, name: str) -> str:
    """Returns the dotted name that `find_class` looks up: below protocol 3, Python 2's names become Python 3's."""
    if protocol < 3:
        renamed = _compat_pickle.NAME_MAPPING.get((module, name))
        module, name = renamed or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
    return f"{module}.{name}"


def guarded(base: Any) -> Any:
    """Returns an unpickler class based on `base`, `pickle._Unpickler` or joblib's; its `guard` must be set."""

    class Guarded(base):  # type: ignore[misc]
        dispatch: ClassVar[dict[int, Any]] = dict(base.dispatch)
        guard: Guard

        def find_class(self, module: str, name: str) -> Any:
            dotted = modern(getattr(self, "proto", 0), module, name)
            if not self.guard.trusted.use(dotted):
                raise Refused(f"requests {dotted}, which the scan of the file did not see")
            return self.guard.learn(dotted, super().find_class(module, name))

        def get_extension(self, code: int) -> Any:
            raise Refused("requests a name by its extension code")

        def persistent_load(self, pid: Any) -> Any:
            raise Refused("contains a persistent id")

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
            raise Refused("contains a Bunch with a key that is not a plain name")
        rules.check_attributes(dict(zip(keys, values)), self.guard, methods_of(type(target)))
    if type(target) is dict:
        target.update(zip(keys, values))
        return
    for key, value in zip(keys, values):
        type(target).__setitem__(target, key, value)


def _names_array(key: Any, value: Any) -> bool:
    """Returns whether the entry is joblib's declaration of an array's class."""
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
    """Returns a BUILD handler: joblib's own, for its array wrapper alone; an array of objects is a nested pickle."""

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
    if not plain or guard.role(entries["dtype"]) != "dtype" or guard.role_of(entries["subclass"]) != "array":
        raise Refused("describes an array in an unknown way")
