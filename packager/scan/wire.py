"""The fields of a protobuf message, read without its description."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack_toolkit.converters._protobuf import fields as _fields
from mlpack_toolkit.converters.spec import Unreadable

from .values import Fault

_END = "its protobuf ends too early, or is none"


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer, or the bytes inside. Raises `Fault`."""
    try:
        for number, _kind, value in _fields(data, 0, len(data)):
            yield number, value if isinstance(value, int) else data[slice(*value)]
    except Unreadable as error:
        raise Fault(_END) from error


def parts(data: memoryview, number: int) -> Iterator[memoryview]:
    """The bytes of each field of that number."""
    yield from (value for each, value in fields(data) if each == number and isinstance(value, memoryview))


def text(data: memoryview, number: int) -> str:
    """The last text of that number, as protobuf has it; empty: none."""
    found = ""
    for value in parts(data, number):
        found = bytes(value).decode("utf-8", "replace")
    return found
