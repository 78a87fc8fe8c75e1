"""Writes nets of Caffe: the prototxt as text, the caffemodel in protobuf's wire format by hand.

Nothing here knows the reader that is tested.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def block(number: int, content: bytes) -> bytes:
    """A field that holds bytes: a text, a message, or packed numbers."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(values: Array, form: str = "shape") -> bytes:
    """A BlobProto. `form`: `shape`; `legacy` (num, channels, height, width); `loose` (numbers one by one); `half`."""
    if form == "legacy":
        dims = (*(1,) * (4 - values.ndim), *values.shape)
        head = b"".join(varint(n << 3) + varint(size) for n, size in enumerate(dims, 1))
    else:
        head = block(7, block(1, b"".join(map(varint, values.shape))))
    if form == "loose":
        return head + b"".join(varint(5 << 3 | 5) + struct.pack("<f", each) for each in values.ravel().tolist())
    if form == "half":
        return head + varint(10 << 3) + varint(2) + block(12, values.astype("<f2").tobytes())
    return head + block(5, values.astype("<f4").tobytes())


@dataclass
class Writer:
    """A net under construction. `old`: in the form of before 2014 (V1)."""

    name: str = "net"
    old: bool = False
    lines: list[str] = field(default_factory=list)
    layers: list[bytes] = field(default_factory=list)
    form: str = "shape"

    def input(self, name: str, *shape: int) -> Writer:
        dims = " ".join(f"dim: {size}" for size in shape)
        self.lines.append(f'input: "{name}"\ninput_shape {{ {dims} }}')
        return self

    def layer(
        self, name: str, kind: str, bottoms: str, tops: str, parameters: str = "", blobs: tuple[Array, ...] = ()
    ) -> Writer:
        """One layer; `bottoms` and `tops` have a space between their names."""
        word = "layers" if self.old else "layer"
        shown = kind if self.old else f'"{kind}"'
        ends = [f'  bottom: "{each}"' for each in bottoms.split()] + [f'  top: "{each}"' for each in tops.split()]
        self.lines += [f'{word} {{\n  name: "{name}"\n  type: {shown}', *ends, f"  {parameters}\n}}"]
        if blobs:
            keys = (4, 6, 2) if self.old else (1, 7, 100)
            inside = block(keys[0], name.encode()) + b"".join(block(keys[1], blob(b, self.form)) for b in blobs)
            self.layers.append(block(keys[2], inside))
        return self

    @property
    def text(self) -> str:
        return f'name: "{self.name}"\n' + "\n".join(self.lines) + "\n"

    @property
    def binary(self) -> bytes:
        return block(1, self.name.encode()) + b"".join(self.layers)

    def write(self, folder: Path, stem: str = "net") -> Path:
        """The prototxt's path; the weights are beside it where there are some."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}.prototxt"
        path.write_text(self.text, encoding="utf-8")
        if self.layers:
            path.with_suffix(".caffemodel").write_bytes(self.binary)
        return path
