"""The fields of a protobuf message, read without its description."""

from __future__ import annotations

from collections.abc import Iterator

from .values import Fault

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_END = "its protobuf ends too early, or is none"


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or the bytes inside. Raises `Fault`."""
    at, size = 0, len(data)
    while at < size:
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not number:
            raise Fault(_END)
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        length = {_EIGHT: 8, _FOUR: 4}.get(wire)
        if length is None:
            if wire != _BYTES:
                raise Fault(_END)
            length, at = _varint(data, at)
        if at + length > size:
            raise Fault(_END)
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Fault(_END)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Fault(_END)


def parts(data: memoryview, number: int) -> Iterator[memoryview]:
    """The bytes of each field of that number."""
    yield from (value for each, value in fields(data) if each == number and isinstance(value, memoryview))


def text(data: memoryview, number: int) -> str:
    """The last text of that number, as protobuf has it; empty: none."""
    found = ""
    for value in parts(data, number):
        found = bytes(value).decode("utf-8", "replace")
    return found
