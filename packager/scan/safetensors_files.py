"""The header of a safetensors file: which tensors there are, and where; checked before a framework reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from .torch_files import once
from .values import Fault, Final

LARGEST_HEADER = 100_000_000
"""The format's own bound, in bytes."""
_LENGTH = 8
_BITS = {"F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "F16": 16}
_BITS |= {"BF16": 16, "I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64}


@dataclass(frozen=True)
class Header:
    """Per tensor its type and its dimensions; `metadata`: texts by name."""

    tensors: Mapping[str, tuple[str, tuple[int, ...]]]
    metadata: Mapping[str, str]


def sniff(path: Path, head: bytes) -> bool:
    """Whether it begins with the length of a header (no text: three zeros end it), and with a header of JSON."""
    return len(head) > _LENGTH and head[_LENGTH : _LENGTH + 1] == b"{" and head[5:_LENGTH] == bytes(3)


def header_of(path: Path) -> Header:
    """The file's header. Raises `Fault` where it does not describe the bytes behind it exactly."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if length > min(LARGEST_HEADER, size - _LENGTH):
            raise Final(f"its header should have {length} bytes, of {size} in the file and of 100 million at most")
        raw = file.read(length)
    try:
        plain = json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Fault(f"its header is not readable JSON ({error})") from error
    if not isinstance(plain, dict):
        raise Fault("its header is no object")
    metadata = plain.pop("__metadata__", {})
    if not isinstance(metadata, dict) or any(not isinstance(value, str) for value in metadata.values()):
        raise Fault("its metadata are not texts by name")
    return Header(_tensors(plain, size - _LENGTH - length), metadata)


def _tensors(plain: dict[str, Any], size: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors; together they fill the `size` bytes behind the header, without a gap and without an overlap."""
    found, places = {}, []
    for name, entry in plain.items():
        dtype, shape, (start, end) = _entry(name, entry)
        if end - start != prod(shape) * _BITS[dtype] // 8:
            raise Fault(f"its tensor {name!r} has {end - start} bytes, which do not fit {dtype} {list(shape)}")
        places.append((start, end, name))
        found[name] = (dtype, shape)
    at = 0
    for start, end, name in sorted(places):
        if start != at or end > size:
            raise Fault(f"its tensor {name!r} is at the bytes {start} to {end}, not behind the tensor before it")
        at = end
    if at != size:
        raise Fault(f"its tensors end at byte {at} of {size}")
    return found


def _entry(name: str, entry: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise Fault(f"its tensor {name!r} has other facts than a type, a shape and offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise Fault(f"its tensor {name!r} is of the unknown type {dtype!r}")
    if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2 or len(shape) > 64:
        raise Fault(f"its tensor {name!r} has dimensions or offsets that are no numbers")
    return dtype, tuple(shape), (offsets[0], offsets[1])


def _sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in values)
