"""An unpickler's stack, marks and memo, with symbols in place of objects; nothing is looked up.

Follows `pickle._Unpickler` and joblib's `NumpyUnpickler`. Where the two, or CPython's C version, would read on from
different places, or where a value that matters is not static, the stream is refused: a `Fault`.
"""

from __future__ import annotations

import _compat_pickle
from typing import Any

from .arrays import Dtype, dtype_from
from .reader import Reader
from .values import TAINTED, UNKNOWN, Fault, Final, Global, Instance, Mapping, Wrapper, WrapperArgs, WrapperClass

OPCODE_LIMIT = 20_000_000
MEMO_LIMIT = 6_000_000
CONTAINER_LIMIT = 2_000_000
KEPT_ITEMS = 1024
DEPTH_LIMIT = 100_000
TEXT_LIMIT = 512 << 20
"""Bounds that no honest model comes near: what a hostile file of a few kilobytes can make a scan take."""
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_OLD_WRAPPERS = ("NDArrayWrapper", "ZNDArrayWrapper")
_RECONSTRUCTOR = Global("copyreg", "_reconstructor")
_OBJECT = Global("builtins", "object")
_DTYPE = Global("numpy", "dtype")


class Trace:
    """What scanning one file has found so far; shared by the pickles in it."""

    def __init__(self) -> None:
        self.names: set[tuple[str, str]] = set()
        self.called: set[tuple[str, str]] = set()
        self.unresolved = False
        self.wrappers = 0
        self.opcodes = 0
        self.containers = 0
        self.text = 0
        self.versions: dict[str, str] = {}


class Machine:
    """One pickle. `nested`: it is what joblib reads for an array of objects, with a plain unpickler of its own."""

    def __init__(self, reader: Reader, trace: Trace, nested: bool = False) -> None:
        self.reader = reader
        self.trace = trace
        self.nested = nested
        self.protocol = 0
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        """The top of the stack, taken off."""
        if not self.stack:
            raise Fault("it takes from an empty stack")
        return self.stack.pop()

    def use(self) -> Any:
        """The top of the stack, taken off for a use that joblib's own parts may not have."""
        value = self.pop()
        if type(value) in TAINTED:
            raise Fault("an array's description is used in an unknown way")
        return value

    def pop_mark(self) -> list[Any]:
        """The values since the last mark."""
        if not self.marks:
            raise Fault("it takes from an empty stack")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def use_mark(self) -> list[Any]:
        """The values since the last mark, for a use that joblib's own parts may not have."""
        items = self.pop_mark()
        self.checked(items, items)
        return items

    def checked(self, values: list[Any], result: Any) -> Any:
        """`result`, if none of the values is a part of joblib's own."""
        if not TAINTED.isdisjoint(map(type, values)):
            raise Fault("an array's description is used in an unknown way")
        return result

    def top(self) -> Any:
        """The top of the stack, left there."""
        if not self.stack:
            raise Fault("it takes from an empty stack")
        return self.stack[-1]

    def keep(self, text: str) -> None:
        """Nothing; the text is pushed."""
        self.trace.text += len(text)
        if self.trace.text > TEXT_LIMIT:
            raise Fault(f"it holds more than {TEXT_LIMIT >> 20} MiB of text")
        self.stack.append(text)

    def mapping(self) -> Any:
        """A new dict."""
        return Mapping() if self._follows_one_more() else UNKNOWN

    def pack(self, items: list[Any]) -> Any:
        """A tuple of these."""
        return tuple(items) if len(items) <= KEPT_ITEMS and self._follows_one_more() else UNKNOWN

    def _follows_one_more(self) -> bool:
        self.trace.containers += 1
        return self.trace.containers <= CONTAINER_LIMIT

    def mark(self) -> None:
        """Nothing; a mark is pushed."""
        if len(self.marks) >= DEPTH_LIMIT:
            raise Fault(f"it nests deeper than {DEPTH_LIMIT} levels")
        self.marks.append(self.stack)
        self.stack = []

    def number(self, size: int) -> int:
        """An unsigned argument of `size` bytes."""
        return int.from_bytes(self.reader.take(size), "little")

    def find(self, module: str, name: str) -> None:
        """Nothing; the name is noted, and its symbol pushed."""
        mapped = _modern(module, name)
        looked_up = {(module, name), mapped} if self.nested else {mapped if self.protocol < 3 else (module, name)}
        self.trace.names |= looked_up
        if any(n[0].split(".")[0] in ("joblib", "sklearn") and n[1] in _OLD_WRAPPERS for n in looked_up):
            raise Final("it was written by a joblib older than 0.10: load it there and save it with a newer one")
        if _WRAPPER not in looked_up:
            self.stack.append(Global(*looked_up.pop()) if len(looked_up) == 1 else UNKNOWN)
        elif self.nested:
            raise Fault("an array's description is used in an unknown way")
        else:
            self.stack.append(WrapperClass(*_WRAPPER))

    def call(self, function: Any, args: Any) -> Any:
        """What calling this symbol makes."""
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
            return dtype_from(args)
        if function == _RECONSTRUCTOR and type(args) is tuple and args and type(args[0]) is Global:
            return Dtype("", None) if args[0] == _DTYPE else Instance(args[0])
        return Instance(function)

    def remember(self, key: int) -> None:
        """Nothing; the top of the stack goes into the memo."""
        if len(self.memo) >= MEMO_LIMIT:
            raise Fault(f"it remembers more than {MEMO_LIMIT} values")
        self.memo[key] = self.top()

    def recall(self, value: Any) -> None:
        """Nothing; a second reference to a value is pushed."""
        if type(value) is Wrapper:
            raise Fault("an array's description is used twice")
        if type(value) is Mapping:
            if value.spent:
                raise Fault("an array's description is used twice")
            value.shared = True
        self.stack.append(value)


def _modern(module: str, name: str) -> tuple[str, str]:
    """Python 3's name for a name of Python 2, as `find_class` maps it below protocol 3."""
    renamed = _compat_pickle.NAME_MAPPING.get((module, name))
    return renamed or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
