"""ONNX files read without their numbers: the one door to protobuf for graphs of any size.

Walks the wire format itself: payloads of tensors are stepped over, never copied. Standard library only, Python 3.9 and
later: the model's own interpreter, mlpack's process and the server read graphs through this file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

DATA = "model.onnx.data"
"""The file beside `model.onnx` that holds the large constants of a graph that mlpack made."""
BESIDE = "source/"
"""Where the external data of an ONNX file as it came are, seen from the graph that ships."""
LARGE = 64 << 20
"""Bytes: a graph below it is handled as one file in memory, wherever that is simpler."""
MOST_MESSAGE = (1 << 31) - 1
"""Bytes of one protobuf message, hence of an ONNX file."""
MOST_PAYLOAD = 1024
"""Bytes of numbers that `skeleton` leaves in a tensor."""
MOST_DEPTH = 100
"""Messages within each other: protobuf's own bound."""

_MODEL, _TRAINING, _FUNCTION, _GRAPH, _NODE, _ATTRIBUTE, _SPARSE, _TENSOR = range(8)
INNER: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
"""By message, its fields that can hold tensors, and the messages that these are."""
_NUMBERS = frozenset((4, 5, 7, 9, 10, 11))
"""Fields of a tensor with its numbers: floats, integers, raw bytes."""
_NAME, _DOCUMENT, _EXTERNAL, _LOCATION = 8, 12, 13, 14
_RUNS = {0x3D: re.compile(rb"(?:\x3d.{4})+", re.DOTALL), 0x40: re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])+")}
"""Floats and integers of an attribute, each written with its own tag: millions in a forest."""


class NoGraph(ValueError):
    """A file that is not an ONNX model; the message says why."""


@dataclass(frozen=True)
class External:
    """A tensor whose numbers are in another file. `entries`: as the graph has them (`location`, `offset`, …)."""

    tensor: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Field:
    """One field of a message: bytes `start` to `end` are all of it, `begin` to `end` its content."""

    number: int
    wire: int
    start: int
    begin: int
    end: int
    value: int = 0


def external_tensors(path: Path) -> tuple[External, ...]:
    """The tensors whose numbers are in other files; raises `NoGraph` and `OSError`."""
    with _opened(path) as data:
        if not any(f.number == 7 and f.wire == 2 for f in _fields(data, 0, len(data), _MODEL)):
            raise NoGraph("it holds no graph")
        if len(data) > LARGE and data.find(b"location") < 0:
            return ()
        found = (_external(data, *place) for place in _tensors(data, 0, len(data), _MODEL, 0))
        return tuple(each for each in found if each is not None)


def locations(path: Path) -> tuple[str, ...]:
    """The files that a graph keeps numbers in, as it writes them, sorted; raises `NoGraph` and `OSError`."""
    return tuple(sorted({dict(each.entries).get("location", "") for each in external_tensors(path)}))


def mentions(path: Path, word: bytes) -> bool:
    """Whether the bytes are anywhere in the file; raises `NoGraph` and `OSError`."""
    with _opened(path) as data:
        return data.find(word) >= 0


def skeleton(path: Path, digests: bool = False) -> bytes:
    """The graph without the numbers of its tensors, as a serialised model; texts and attributes stay.

    A file of at most `LARGE` bytes comes back as it is. `digests`: not even a small one does; each tensor that loses
    more than `MOST_PAYLOAD` bytes has their sha256 in its `doc_string`. Raises `NoGraph` and `OSError`.
    """
    with _opened(path) as data:
        if len(data) <= LARGE and not digests:
            return data[:]
        return b"".join(_slim(data, 0, len(data), _MODEL, 0, digests))


@contextmanager
def _opened(path: Path) -> Iterator[mmap]:
    size = path.stat().st_size
    if size > MOST_MESSAGE:
        raise NoGraph("it is larger than 2 GiB, more than an ONNX file can be: use external data for it")
    if not size:
        raise NoGraph("it is empty")
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        yield data


def _fields(data: mmap, position: int, end: int, kind: int) -> Iterator[_Field]:
    """The fields of the message between two positions, in order."""
    while position < end:
        start = position
        run = _RUNS.get(data[position]) if kind == _ATTRIBUTE else None
        found = run.match(data, position, end) if run else None
        if found is not None:
            position = found.end()
            yield _Field(data[start] >> 3, data[start] & 7, start, start, position)
            continue
        tag, position = _varint(data, position, end)
        number, wire, value, begin = tag >> 3, tag & 7, 0, position
        if wire == 0:
            value, position = _varint(data, position, end)
        elif wire == 2:
            length, begin = _varint(data, position, end)
            position = begin + length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise NoGraph("it is not a protobuf message")
        if position > end or not number:
            raise NoGraph("it is not a protobuf message, or is cut short")
        yield _Field(number, wire, start, begin, position, value)


def _varint(data: mmap, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise NoGraph("it is not a protobuf message, or is cut short")


def _tensors(data: mmap, begin: int, end: int, kind: int, depth: int) -> Iterator[tuple[int, int]]:
    """Where the tensors in a message begin and end: constants, attributes, subgraphs and functions."""
    if kind == _TENSOR:
        yield begin, end
        return
    _check_depth(depth)
    for field in _fields(data, begin, end, kind):
        inner = INNER[kind].get(field.number)
        if inner is not None and field.wire == 2:
            yield from _tensors(data, field.begin, field.end, inner, depth + 1)


def _external(data: mmap, begin: int, end: int) -> External | None:
    """The tensor, where its numbers are elsewhere."""
    entries: list[tuple[str, str]] = []
    name, elsewhere = "", False
    for field in _fields(data, begin, end, _TENSOR):
        if field.number == _NAME and field.wire == 2:
            name = _text(data, field)
        elif field.number == _EXTERNAL and field.wire == 2:
            entries.append(_entry(data, field))
        elif field.number == _LOCATION and field.wire == 0:
            elsewhere = field.value == 1
    return External(name, tuple(entries)) if entries or elsewhere else None


def _entry(data: mmap, of: _Field) -> tuple[str, str]:
    found = {f.number: _text(data, f) for f in _fields(data, of.begin, of.end, _TENSOR) if f.wire == 2}
    return found.get(1, ""), found.get(2, "")


def _text(data: mmap, field: _Field) -> str:
    try:
        return data[field.begin : field.end].decode()
    except UnicodeDecodeError as error:
        raise NoGraph("a name in it is not UTF-8") from error


def _check_depth(depth: int) -> None:
    if depth > MOST_DEPTH:
        raise NoGraph("it is nested too deeply")


def _slim(data: mmap, begin: int, end: int, kind: int, depth: int, digests: bool) -> list[bytes]:
    """The message between two positions in pieces, without the numbers of the tensors in it."""
    _check_depth(depth)
    pieces, kept = [], begin
    for field in _fields(data, begin, end, kind):
        inner = INNER[kind].get(field.number) if field.wire == 2 else None
        drop = kind == _TENSOR and field.number in _NUMBERS and field.end - field.begin > MOST_PAYLOAD
        if not drop and (inner is None or field.end - field.begin <= MOST_PAYLOAD):
            continue
        pieces.append(data[kept : field.start])
        kept = field.end
        if inner is not None:
            within = _slim(data, field.begin, field.end, inner, depth + 1, digests)
            pieces += _message(field.number, within)
        elif digests:
            pieces += _message(_DOCUMENT, [_digest(data, field)])
    return [*pieces, data[kept:end]]


def _message(number: int, content: list[bytes]) -> list[bytes]:
    return [encoded(number << 3 | 2), encoded(sum(map(len, content))), *content]


def _digest(data: mmap, field: _Field) -> bytes:
    with memoryview(data) as view, view[field.begin : field.end] as part:
        return hashlib.sha256(part).hexdigest().encode()


def encoded(number: int) -> bytes:
    """A whole number from 0 as protobuf writes it."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def proto_of(path: Path, digests: bool = False) -> Any:
    """The `ModelProto` of a file, of a large one without its numbers; see `skeleton`. Raises `NoGraph`, `OSError`."""
    import onnx

    content = skeleton(path, digests)
    try:
        proto = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's DecodeError, which onnx does not offer by name
        raise NoGraph("it is not a protobuf message, or is cut short") from error
    if not proto.HasField("graph"):
        raise NoGraph("it holds no graph")
    return proto
