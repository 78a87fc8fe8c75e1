"""Pickles written by hand, one instruction at a time, in any protocol: what no honest pickler writes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np


@dataclass(frozen=True)
class G:
    """A name that the loader looks up."""

    dotted: str


@dataclass(frozen=True)
class Op:
    """An instruction on values: `what` is its kind, `parts` are put on the stack before it."""

    what: str
    parts: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Raw:
    """Instructions as they are; they push one value."""

    code: bytes


def call(function: Any, *args: Any) -> Op:
    return Op("call", (function, args))


def new(cls: Any) -> Op:
    return Op("new", (cls,))


def build(target: Any, state: Any) -> Op:
    return Op("build", (target, state))


def append(target: Any, value: Any) -> Op:
    return Op("append", (target, value))


def appends(target: Any, *values: Any) -> Op:
    return Op("appends", (target, *values))


def add(target: Any, *values: Any) -> Op:
    return Op("add", (target, *values))


def setitem(target: Any, key: Any, value: Any) -> Op:
    return Op("setitem", (target, key, value))


def setitems(target: Any, key: Any, value: Any) -> Op:
    return Op("setitems", (target, key, value))


def keep(label: int, value: Any) -> Op:
    """The value, remembered."""
    return Op("keep", (label, value))


def again(label: int) -> Op:
    return Op("again", (label,))


def then(*values: Any) -> Op:
    """All of these are made; the last one stays."""
    return Op("then", values)


_AFTER = {"build": b"b", "append": b"a", "setitem": b"s"}
_MARKED = {"appends": b"e", "add": b"\x90", "setitems": b"u"}


class _Writer:
    def __init__(self, protocol: int) -> None:
        self.protocol = protocol

    def text(self, value: str) -> bytes:
        raw = value.encode()
        if self.protocol == 0:
            return b"V" + raw + b"\n"
        if self.protocol >= 4 and len(raw) < 256:
            return b"\x8c" + bytes([len(raw)]) + raw
        return b"X" + struct.pack("<I", len(raw)) + raw

    def value(self, value: Any) -> bytes:
        if isinstance(value, Raw):
            return value.code
        if isinstance(value, G):
            module, _, name = value.dotted.rpartition(".")
            if self.protocol >= 4:
                return self.text(module) + self.text(name) + b"\x93"
            return f"c{module}\n{name}\n".encode()
        if isinstance(value, Op):
            return self.op(value.what, value.parts)
        return self.plain(value)

    def plain(self, value: Any) -> bytes:
        if value is None:
            return b"N"
        if isinstance(value, bool):
            return f"I0{int(value)}\n".encode() if self.protocol < 2 else b"\x88" if value else b"\x89"
        if isinstance(value, int):
            return f"I{value}\n".encode() if self.protocol == 0 else b"J" + struct.pack("<i", value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return b"U" + bytes([len(value)]) + value if self.protocol < 3 else b"C" + bytes([len(value)]) + value
        if isinstance(value, tuple):
            return b"(" + b"".join(map(self.value, value)) + b"t"
        if isinstance(value, list):
            return b"(l" + b"".join(self.value(v) + b"a" for v in value)
        return b"(d" + b"".join(self.value(k) + self.value(v) + b"s" for k, v in value.items())

    def op(self, what: str, parts: tuple[Any, ...]) -> bytes:
        if what == "call":
            return self.value(parts[0]) + self.value(parts[1]) + b"R"
        if what == "new" and self.protocol < 2:
            base: tuple[Any, Any] = (G("builtins.object"), None)
            if parts[0].dotted.endswith(".Bunch"):
                base = (G("builtins.dict"), {})
            return self.value(call(G("copyreg._reconstructor"), parts[0], *base))
        if what == "new":
            return self.value(parts[0]) + b")\x81"
        if what == "keep":
            return self.value(parts[1]) + f"p{parts[0]}\n".encode()
        if what == "again":
            return f"g{parts[0]}\n".encode()
        if what == "then":
            return b"0".join(map(self.value, parts))
        if what in _MARKED:
            return self.value(parts[0]) + b"(" + b"".join(map(self.value, parts[1:])) + _MARKED[what]
        return b"".join(map(self.value, parts)) + _AFTER[what]


def written(value: Any, protocol: int = 4) -> bytes:
    """A pickle that makes the value."""
    renamed = {"copyreg": "copy_reg", "builtins": "__builtin__"}
    body = _Writer(protocol).value(value)
    if protocol < 3:
        for new_name, old in renamed.items():
            body = body.replace(f"c{new_name}\n".encode(), f"c{old}\n".encode())
    return (b"\x80" + bytes([protocol]) if protocol >= 2 else b"") + body + b"."


def _in_joblib(value: Any) -> bytes:
    """Behind an array of joblib's own format."""
    buffer = io.BytesIO()
    joblib.dump([np.arange(3.0)], buffer, protocol=2)
    data = buffer.getvalue()
    assert data.endswith(b"a.")
    return data[:-1] + _Writer(2).value(value).replace(b"ccopyreg\n", b"ccopy_reg\n") + b"a."


WRITERS: dict[str, Callable[[Any], bytes]] = {
    **{f"protocol {n}": (lambda value, n=n: written(value, n)) for n in range(6)},
    "zlib": lambda value: zlib.compress(written(value, 2)),
    "joblib": _in_joblib,
}
