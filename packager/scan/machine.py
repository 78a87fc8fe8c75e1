"""Runs a pickle symbolically: an unpickler's stack, marks and memo hold symbols, and no name is imported.

Follows `pickle._Unpickler` and joblib's `NumpyUnpickler`. Raises `Fault` where the two, or CPython's C version, would
continue at different positions, or where a value that matters is not static.
"""

from __future__ import annotations

import _compat_pickle
from collections.abc import Callable
from collections.abc import Mapping as Entries
from functools import cache
from importlib.resources import files
from typing import Any

from mlpack_toolkit.converters._trust import rules
from mlpack_toolkit.converters._trust.calls import called, check_own_base, made, made_whole
from mlpack_toolkit.converters._trust.rules import Refused
from mlpack_toolkit.converters._trust.states import check_state
from mlpack_toolkit.converters._trust.tensors import check_record, storage_of

from .allowlist import Trust
from .arrays import build_dtype, dtype_from
from .reader import Reader
from .symbols import SYMBOLS
from .values import (
    TAINTED,
    UNKNOWN,
    Args,
    Dtype,
    Fault,
    Final,
    Global,
    Instance,
    Listing,
    Mapping,
    Wrapper,
    WrapperArgs,
    WrapperClass,
    plain,
)

OPCODE_LIMIT = 20_000_000
MEMO_LIMIT = 6_000_000
CONTAINER_LIMIT = 6_000_000
KEPT_ITEMS = 1024
DEPTH_LIMIT = 100_000
TEXT_LIMIT = 512 << 20
"""Bounds far above any real model, so that a hostile file of a few kilobytes cannot exhaust the scanner."""
_PLAIN_KEYS = frozenset({str, int, bool, type(None)})
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_OLD_WRAPPERS = ("NDArrayWrapper", "ZNDArrayWrapper")
_RECONSTRUCTOR = Global("copyreg", "_reconstructor")
_OBJECT = Global("builtins", "object")
_DTYPE = Global("numpy", "dtype")
_OF_TORCH = ("torch.", "torchvision.")


class Trace:
    """The findings in one file so far; shared by the pickles in it. `records`: the bytes of each of torch's storages by
    name; None where a pickle has no storages outside of it."""

    def __init__(self, trust: Trust, records: Entries[str, int] | None = None) -> None:
        self.trust = trust
        self.records = records
        self.forbidden = ""
        self.names: set[tuple[str, str]] = set()
        self.called: set[tuple[str, str]] = set()
        self.unresolved = False
        self.wrappers = 0
        self.opcodes = 0
        self.containers = 0
        self.text = 0
        self.versions: dict[str, str] = {}


class Machine:
    """One pickle. `nested`: joblib reads it for an array of objects, with a plain unpickler of its own."""

    def __init__(self, reader: Reader, trace: Trace, nested: bool = False) -> None:
        self.reader = reader
        self.trace = trace
        self.nested = nested
        self.protocol = 0
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        """Pops the top of the stack."""
        if not self.stack:
            raise Fault("it takes from an empty stack")
        return self.stack.pop()

    def use(self) -> Any:
        """Pops the top of the stack; raises `Fault` for a part of joblib's own."""
        value = self.pop()
        if type(value) in TAINTED:
            raise Fault("an array's description is used in an unknown way")
        return value

    def pop_mark(self) -> list[Any]:
        """Pops the values since the last mark."""
        if not self.marks:
            raise Fault("it takes from an empty stack")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def use_mark(self) -> list[Any]:
        """Pops the values since the last mark; raises `Fault` for parts of joblib's own."""
        items = self.pop_mark()
        self.checked(items, items)
        return items

    def checked(self, values: list[Any], result: Any) -> Any:
        """`result`, if none of the values is a part of joblib's own; `Fault` otherwise."""
        if not TAINTED.isdisjoint(map(type, values)):
            raise Fault("an array's description is used in an unknown way")
        return result

    def top(self) -> Any:
        """The top of the stack, which stays there."""
        if not self.stack:
            raise Fault("it takes from an empty stack")
        return self.stack[-1]

    def keep(self, text: str) -> None:
        """Pushes the text."""
        self.trace.text += len(text)
        if self.trace.text > TEXT_LIMIT:
            raise Fault(f"it holds more than {TEXT_LIMIT >> 20} MiB of text")
        self.stack.append(text)

    def mapping(self) -> Any:
        """A new dict."""
        self._count()
        return Mapping()

    def listing(self, items: list[Any]) -> Any:
        """A new list of these."""
        self._count()
        self.stored(items)
        made = Listing()
        made.put(items)
        return made

    def pack(self, items: list[Any]) -> Any:
        """A tuple of these."""
        self._count()
        if len(items) > KEPT_ITEMS:
            self.stored(items)
            return plain("tuple")
        return tuple(items) if rules.HOT.isdisjoint(map(SYMBOLS.role, items)) else Args(items)

    def _count(self) -> None:
        self.trace.containers += 1
        if self.trace.containers > CONTAINER_LIMIT:
            raise Fault(f"it holds more than {CONTAINER_LIMIT} containers")

    def forbid(self, refused: Refused) -> None:
        """Records the first forbidden action, which the scan reports."""
        self.trace.forbidden = self.trace.forbidden or str(refused)

    def _checked(self, check: Callable[[], None]) -> None:
        try:
            check()
        except Refused as refused:
            self.forbid(refused)

    def stored(self, values: list[Any]) -> None:
        """Records a value that no container may hold."""
        self._checked(lambda: rules.check_stored(values, SYMBOLS))

    def hashed(self, keys: list[Any]) -> None:
        """Records a value that may not be a key."""
        if not _PLAIN_KEYS.issuperset(map(type, keys)):
            self._checked(lambda: rules.check_hashed(keys, SYMBOLS))

    def filled(self, what: str, target: Any) -> None:
        """Records an instruction that would call a method of an object that is no container."""
        self._checked(lambda: rules.check_target(what, target, SYMBOLS))

    def mark(self) -> None:
        """Pushes a mark."""
        if len(self.marks) >= DEPTH_LIMIT:
            raise Fault(f"it nests deeper than {DEPTH_LIMIT} levels")
        self.marks.append(self.stack)
        self.stack = []

    def number(self, size: int) -> int:
        """An unsigned argument of `size` bytes."""
        return int.from_bytes(self.reader.take(size), "little")

    def find(self, module: str, name: str) -> None:
        """Records the name and pushes its symbol."""
        mapped = _modern(module, name)
        looked_up = {(module, name), mapped} if self.nested else {mapped if self.protocol < 3 else (module, name)}
        self.trace.names |= looked_up
        if any(n[0].split(".")[0] in ("joblib", "sklearn") and n[1] in _OLD_WRAPPERS for n in looked_up):
            raise Final("it was written by a joblib older than 0.10: load it there and save it with a newer one")
        if _WRAPPER not in looked_up:
            self.stack.append(self.symbol(*looked_up.pop()) if len(looked_up) == 1 else UNKNOWN)
        elif self.nested:
            raise Fault("an array's description is used in an unknown way")
        else:
            self.stack.append(WrapperClass(*_WRAPPER))

    def symbol(self, module: str, name: str) -> Global:
        """The symbol of a name, with its allowed use."""
        return Global(module, name, self.trace.trust.use(module, name))

    def call(self, function: Any, args: Any) -> Any:
        """The result of calling this symbol."""
        if type(function) is WrapperClass:
            raise Fault("an array's description is used in an unknown way")
        if type(args) is WrapperArgs:
            if function == _RECONSTRUCTOR and args[1:] == (_OBJECT, None):
                return Wrapper()
            raise Fault("an array's description is used in an unknown way")
        if type(function) is not Global:
            self.trace.unresolved = True
            return UNKNOWN
        self.trace.called.add((function.module, function.name))
        if function == _DTYPE:
            return self._dtype(args)
        items = args if isinstance(args, tuple) else None
        of = items[0] if function == _RECONSTRUCTOR and items and type(items[0]) is Global else function
        if of == _DTYPE:
            return Dtype("", None)
        if of.use == "own" and function.use == "listed":
            self._checked(lambda: check_own_base(items or (), SYMBOLS))
        if of.use != "listed":
            return Instance(of, "own" if of.use == "own" else "?")
        return self._made(called, of, function.dotted, items)

    def _dtype(self, args: Any) -> Dtype:
        made = dtype_from(args)
        if made.itemsize is None:
            self.forbid(Refused("makes a numpy dtype as no model does"))
        return made

    def new(self, cls: Any, args: Any) -> Any:
        """The result of `cls.__new__(cls, *args)`."""
        if type(cls) is not Global or cls.use != "listed":
            return self.call(cls, args)
        self.trace.called.add((cls.module, cls.name))
        return Dtype("", None) if cls == _DTYPE else self._made(made, cls, cls.dotted, args)

    def _made(self, rule: Any, of: Global, name: str, items: Any) -> Any:
        try:
            if not isinstance(items, tuple):
                raise Refused(f"calls {name} with arguments that show only when the file runs")
            role = rule(name, items, SYMBOLS)
        except Refused as refused:
            self.forbid(refused)
            role = "?"
        if role == "dtype":
            return Dtype("", None)
        return Instance(of, role, made_whole(name))

    def build(self, target: Any, state: Any) -> None:
        """Sets the state."""
        if type(target) is Dtype:
            build_dtype(target, state)
            return
        try:
            if type(target) is Instance and target.built:
                raise Refused(f"sets a second state on one {target.of.dotted}")
            rules.check_stored(state if isinstance(state, tuple) else (state,), SYMBOLS)
            check_state(target, state, SYMBOLS, _methods_of(target))
        except Refused as refused:
            self.forbid(refused)
        if type(target) is Instance:
            target.built = True

    def storage(self, pid: Any) -> Any:
        """The storage of torch that a persistent id stands for."""
        if self.trace.records is None:
            raise Fault("it holds a persistent id, which neither pickle.load nor joblib.load can follow")
        try:
            kind, key, elements = storage_of(pid, SYMBOLS)
            check_record(kind, elements, self.trace.records.get(key), key)
        except Refused as refused:
            self.forbid(refused)
            return UNKNOWN
        return Instance(Global(*kind.split(".")), "storage", True, elements)

    def remember(self, key: int) -> None:
        """Stores the top of the stack in the memo."""
        if len(self.memo) >= MEMO_LIMIT:
            raise Fault(f"it remembers more than {MEMO_LIMIT} values")
        self.memo[key] = self.top()

    def recall(self, value: Any) -> None:
        """Pushes a second reference to a value."""
        if type(value) is Wrapper:
            raise Fault("an array's description is used twice")
        if type(value) is Mapping:
            if value.spent:
                raise Fault("an array's description is used twice")
            value.shared = True
        self.stack.append(value)


def _methods_of(target: Any) -> Callable[[str], bool]:
    """A test whether the target's class may have a method of a name; a `MetadataRequest` keeps requests under those."""
    of = target.of if type(target) is Instance else None
    if of is not None and of.name == "MetadataRequest":
        return lambda key: False
    return methods(of is not None and of.module.startswith(_OF_TORCH)).__contains__


@cache
def methods(of_torch: bool = False) -> frozenset[str]:
    """Names of methods of the listed classes; the guard asks the class itself."""
    file = "methods_torch.txt" if of_torch else "methods.txt"
    return frozenset(files(__package__).joinpath(file).read_text("utf-8").split())


def _modern(module: str, name: str) -> tuple[str, str]:
    """Python 3's name for a name of Python 2, as `find_class` maps it below protocol 3."""
    renamed = _compat_pickle.NAME_MAPPING.get((module, name))
    return renamed or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
