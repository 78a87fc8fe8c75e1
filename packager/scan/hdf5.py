"""The attributes of an HDF5 file's root, read without HDF5: of files as h5py writes them by default, and no others.

What this reader does not know is refused, so that no other reader can see another configuration than the scan did.
Format: HDF5 File Format Specification 3.0, superblock 0, object headers of version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .values import Fault

MAGIC = b"\x89HDF\r\n\x1a\n"
_ATTRIBUTE, _CONTINUED, _DENSE = 0x0C, 0x10, 0x15
_MOST_BLOCKS, _MOST_MESSAGES = 64, 10_000
_AGAIN = "save the model again as a .keras file"


def root_attributes(data: bytes) -> dict[str, bytes]:
    """The attributes that are one text each, by name. Raises `Fault`."""
    try:
        return dict(_texts(data))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Fault(f"its HDF5 is damaged ({error})") from error


def _texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:8] != MAGIC or data[8] != 0 or data[13:15] != b"\x08\x08" or data[24:32] != bytes(8):
        raise Fault(f"its HDF5 is of a form that mlpack does not read: {_AGAIN}")
    seen: set[str] = set()
    for kind, flags, body in _messages(data, struct.unpack_from("<Q", data, 64)[0]):
        if kind == _DENSE:
            raise Fault(f"it keeps its attributes in a way that mlpack does not read: {_AGAIN}")
        if kind == _ATTRIBUTE:
            if flags & 2:
                raise Fault(f"it shares an attribute, which Keras never does: {_AGAIN}")
            name, value = _attribute(data, body)
            if name in seen:
                raise Fault("it holds two attributes of one name")
            seen.add(name)
            if value is not None:
                yield name, value


def _messages(data: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and content of each message of an object header of version 1."""
    version, _, count, _, size = struct.unpack_from("<BBHII", data, at)
    if version != 1:
        raise Fault(f"its HDF5 is of a form that mlpack does not read: {_AGAIN}")
    blocks, number, given = [(at + 16, size)], 0, 0
    while number < len(blocks):
        begin, length = blocks[number]
        number, end = number + 1, begin + length
        if number > _MOST_BLOCKS or end > len(data):
            raise Fault("its HDF5 is damaged (an object header leaves the file)")
        while begin + 8 <= end and given < min(count, _MOST_MESSAGES):
            kind, length, flags = struct.unpack_from("<HHB", data, begin)
            body = data[begin + 8 : begin + 8 + length]
            begin, given = begin + 8 + length, given + 1
            if kind == _CONTINUED:
                blocks.append(struct.unpack_from("<QQ", body))
            yield kind, flags, body


def _attribute(data: bytes, body: bytes) -> tuple[str, bytes | None]:
    """Name and text of an attribute; None where it is no single text."""
    version, flags, name, kind, space = struct.unpack_from("<BBHHH", body)
    if version not in (1, 2, 3) or (version > 1 and flags):
        raise Fault(f"its HDF5 is of a form that mlpack does not read: {_AGAIN}")
    at = 9 if version == 3 else 8
    title = body[at : at + name].rstrip(b"\0").decode("utf-8")
    at += _padded(name, version)
    datatype = body[at : at + kind]
    at += _padded(kind, version)
    dimensions = body[at + 1]
    at += _padded(space, version)
    cls = datatype[0] & 15
    if dimensions:
        return title, None
    if cls == 3:
        return title, body[at : at + struct.unpack_from("<I", datatype, 4)[0]].rstrip(b"\0")
    if cls == 9 and datatype[1] & 15 == 1:
        length, heap, index = struct.unpack_from("<IQI", body, at)
        return title, _heap_object(data, heap, index)[:length]
    return title, None


def _padded(size: int, version: int) -> int:
    """The bytes that a part of an attribute takes."""
    return (size + 7) & ~7 if version == 1 else size


def _heap_object(data: bytes, at: int, wanted: int) -> bytes:
    """An object of a global heap."""
    magic, size = struct.unpack_from("<4s4xQ", data, at)
    if magic != b"GCOL":
        raise Fault("its HDF5 is damaged (a text is not where it should be)")
    end, at = at + size, at + 16
    while at + 16 <= end:
        index, _, length = struct.unpack_from("<HH4xQ", data, at)
        if index == wanted:
            return data[at + 16 : at + 16 + length]
        if not index:
            break
        at += 16 + ((length + 7) & ~7)
    raise Fault("its HDF5 is damaged (a text is not where it should be)")
