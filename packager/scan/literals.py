"""Pickle instructions that push a plain value: numbers, texts, empty containers."""

from __future__ import annotations

import codecs
import pickle
import re
from collections.abc import Callable
from typing import Any

from .machine import Machine
from .reader import KEPT_TEXT
from .values import Fault, Instance, plain

SET, TEXT, BYTES, FLOAT, INT = (plain(name) for name in ("set", "str", "bytes", "float", "int"))
BYTEARRAY = plain("bytearray")
_DECIMAL = re.compile(rb"-?\d{1,18}")
_QUOTED = re.compile(rb"(['\"])(.*)\1", re.DOTALL)

Handler = Callable[[Machine], None]


def text(raw: bytes | None, encoding: str, errors: str = "strict") -> str:
    """The text of these bytes; None stands for a line that was too long."""
    if raw is None:
        raise Fault("a name is too long")
    try:
        return raw.decode(encoding, errors)
    except ValueError as error:
        raise Fault("a text is not properly encoded") from error


def _push(value: Any) -> Handler:
    return lambda machine: machine.stack.append(value)


def _skipping(length_size: int, value: Instance) -> Handler:
    def handler(machine: Machine) -> None:
        machine.reader.skip(machine.number(length_size))
        machine.stack.append(value)

    return handler


def _unicode(length_size: int) -> Handler:
    def handler(machine: Machine) -> None:
        size = machine.number(length_size)
        if size > KEPT_TEXT:
            machine.reader.skip(size)
            machine.stack.append(TEXT)
        else:
            machine.keep(text(machine.reader.take(size), "utf-8", "surrogatepass"))

    return handler


def _bytestring(length_size: int) -> Handler:
    """Pushes Python 2's `str`, whose value depends on the loader's options unless it is ASCII."""

    def handler(machine: Machine) -> None:
        size = machine.number(length_size)
        if size > KEPT_TEXT:
            machine.reader.skip(size)
            machine.stack.append(TEXT)
        else:
            _keep_ascii(machine, machine.reader.take(size))

    return handler


def _keep_ascii(machine: Machine, raw: bytes) -> None:
    if raw.isascii():
        machine.keep(raw.decode("ascii"))
    else:
        machine.stack.append(TEXT)


def _integer(size: int, signed: bool) -> Handler:
    def handler(machine: Machine) -> None:
        machine.stack.append(int.from_bytes(machine.reader.take(size), "little", signed=signed))

    return handler


def _long1(machine: Machine) -> None:
    raw = machine.reader.take(machine.number(1))
    machine.stack.append(int.from_bytes(raw, "little", signed=True) if len(raw) <= 8 else INT)


def _decimal(machine: Machine) -> None:
    raw = machine.reader.line()
    if raw in (b"00", b"01"):
        machine.stack.append(raw == b"01")
    elif raw is not None and _DECIMAL.fullmatch(number := raw.removesuffix(b"L")):
        machine.stack.append(int(number))
    else:
        machine.stack.append(INT)


def _binfloat(machine: Machine) -> None:
    machine.reader.take(8)
    machine.stack.append(FLOAT)


def _float_line(machine: Machine) -> None:
    machine.reader.line()
    machine.stack.append(FLOAT)


def _string_line(machine: Machine) -> None:
    raw = machine.reader.line()
    match = _QUOTED.fullmatch(raw) if raw is not None else None
    try:
        content = codecs.escape_decode(match[2])[0] if match else b"\xff"
    except ValueError as error:
        raise Fault("a text is not properly encoded") from error
    _keep_ascii(machine, content)


def _unicode_line(machine: Machine) -> None:
    raw = machine.reader.line()
    if raw is None:
        machine.stack.append(TEXT)
    else:
        machine.keep(text(raw, "raw-unicode-escape"))


LITERALS: dict[bytes, Handler] = {
    pickle.NONE: _push(None),
    pickle.NEWTRUE: _push(True),
    pickle.NEWFALSE: _push(False),
    pickle.EMPTY_TUPLE: _push(()),
    pickle.EMPTY_SET: _push(SET),
    pickle.BININT: _integer(4, True),
    pickle.BININT1: _integer(1, False),
    pickle.BININT2: _integer(2, False),
    pickle.LONG1: _long1,
    pickle.LONG4: _skipping(4, INT),
    pickle.INT: _decimal,
    pickle.LONG: _decimal,
    pickle.FLOAT: _float_line,
    pickle.BINFLOAT: _binfloat,
    pickle.STRING: _string_line,
    pickle.UNICODE: _unicode_line,
    pickle.BINSTRING: _bytestring(4),
    pickle.SHORT_BINSTRING: _bytestring(1),
    pickle.BINUNICODE: _unicode(4),
    pickle.SHORT_BINUNICODE: _unicode(1),
    pickle.BINUNICODE8: _unicode(8),
    pickle.BINBYTES: _skipping(4, BYTES),
    pickle.SHORT_BINBYTES: _skipping(1, BYTES),
    pickle.BINBYTES8: _skipping(8, BYTES),
    pickle.BYTEARRAY8: _skipping(8, BYTEARRAY),
}
