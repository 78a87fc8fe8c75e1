"""Streams the bytes of a pickle from a plain or compressed file, within a size bound."""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from typing import BinaryIO, Protocol

from .values import Fault, Final

CHUNK = 1 << 18
KEPT_TEXT = 512
EXPANDED_LIMIT = 4 << 30
"""The most bytes that a compressed file may hold; a larger model has to be saved without compression."""
_LZMA_MEMORY = 256 << 20

COMPRESSED = {b"\x78": "zlib", b"\x1f\x8b": "gzip", b"BZ": "bz2", b"\x5d\x00": "lzma", b"\xfd7zXZ": "lzma"}
"""First bytes by which joblib detects compression; none of them starts a loadable pickle."""

_CERTAIN = (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0")
"""First bytes that no other format has."""


class Stream(Protocol):
    """A source of bytes."""

    def read(self, size: int) -> bytes: ...

    def skip(self, size: int) -> None: ...


class PlainStream:
    """An uncompressed file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def skip(self, size: int) -> None:
        if size > self._size - self._file.tell():
            raise Fault("it ends too early")
        self._file.seek(size, os.SEEK_CUR)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _decompressor(kind: str) -> _Decompressor:
    if kind == "bz2":
        return bz2.BZ2Decompressor()
    if kind == "lzma":
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
    return _Zlib(47)


class _Zlib:
    """zlib's decompressor with the interface of the other two."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class CompressedStream:
    """The content of a compressed file: one compressed stream of bounded size, with nothing behind it."""

    def __init__(self, file: BinaryIO, kind: str, certain: bool) -> None:
        self._file = file
        self._kind = kind
        self._fault = Final if certain else Fault
        self._inner = _decompressor(kind)
        self._total = 0

    def read(self, size: int) -> bytes:
        data = b""
        while not data and not self._inner.eof:
            data = self._step(min(size, CHUNK))
        if not data:
            self._check_end()
        self._total += len(data)
        if self._total > EXPANDED_LIMIT:
            raise Fault(f"it holds more than {EXPANDED_LIMIT >> 30} GiB; save the model without compression")
        return data

    def _step(self, size: int) -> bytes:
        try:
            data = self._inner.decompress(b"", size)
            if data or self._inner.eof:
                return data
            raw = self._file.read(CHUNK)
            if not raw:
                raise self._fault("it ends too early")
            return self._inner.decompress(raw, size)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise self._fault(f"its {self._kind} compression is damaged ({error})") from error

    def _check_end(self) -> None:
        if self._inner.unused_data or self._file.read(1):
            raise Fault("there is something behind its compressed content")

    def skip(self, size: int) -> None:
        while size:
            data = self.read(size)
            if not data:
                raise Fault("it ends too early")
            size -= len(data)


class Reader:
    """Reads a stream as `pickle._Unpickler` does, frames included."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = b""
        self._base = 0
        self._at = 0
        self._stop = 0
        self._frame_end: int | None = None

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._base + self._at

    @property
    def in_frame(self) -> bool:
        """Whether an open frame has bytes left."""
        return self._frame_end is not None and self._frame_end != self.position

    def take(self, size: int) -> bytes:
        """Reads the next `size` bytes; for small sizes."""
        at, stop = self._at, self._at + size
        if stop > self._stop:
            return self._refill(size)
        self._at = stop
        return self._buffer[at:stop]

    def _refill(self, size: int) -> bytes:
        self._leave_frame(size)
        self._load(size)
        if len(self._buffer) < size:
            raise Fault("it ends too early")
        self._at = size
        return self._buffer[:size]

    def _leave_frame(self, size: int) -> None:
        if self._frame_end is None or size <= self._frame_end - self.position:
            return
        if self.in_frame:
            raise Fault("a value crosses the end of a frame")
        self._frame_end = None
        self._limit()

    def _load(self, size: int) -> None:
        self._base += self._at
        parts, have = [self._buffer[self._at :]], len(self._buffer) - self._at
        while have < size and (data := self._stream.read(CHUNK)):
            parts.append(data)
            have += len(data)
        self._buffer, self._at = b"".join(parts), 0
        self._limit()

    def _limit(self) -> None:
        end = len(self._buffer)
        self._stop = end if self._frame_end is None else min(end, self._frame_end - self._base)

    def skip(self, size: int) -> None:
        """Skips `size` bytes without keeping them."""
        self._leave_frame(size)
        have = len(self._buffer) - self._at
        if size > have:
            self._stream.skip(size - have)
            self._base += len(self._buffer) + size - have
            self._buffer, self._at = b"", 0
            self._limit()
        else:
            self._at += size

    def line(self) -> bytes | None:
        """The next line without its end; None when it is too long to be a name or a number."""
        self._leave_frame(1)
        kept: list[bytes] = []
        length = 0
        while (end := self._buffer.find(b"\n", self._at, self._stop)) < 0:
            length += self._drain(kept, length)
            if self._frame_end is not None and not self.in_frame:
                raise Fault("a value crosses the end of a frame")
            self._load(1)
            if not self._buffer:
                raise Fault("it ends too early")
        kept.append(self._buffer[self._at : end])
        length += end - self._at
        self._at = end + 1
        return b"".join(kept) if length <= KEPT_TEXT else None

    def _drain(self, kept: list[bytes], length: int) -> int:
        piece = self._buffer[self._at : self._stop]
        if length + len(piece) <= KEPT_TEXT:
            kept.append(piece)
        self._at = self._stop
        return len(piece)

    def enter_frame(self, size: int) -> None:
        """Starts a frame of `size` bytes here."""
        if self.in_frame:
            raise Fault("a frame starts within a frame")
        self._frame_end = self.position + size
        self._limit()

    def end_pickle(self) -> None:
        """Ends the pickle here, and its frame with it."""
        if self.in_frame:
            raise Fault("a pickle ends within a frame")
        self._frame_end = None
        self._limit()

    def peek(self, size: int) -> bytes:
        """The next bytes without reading past them; fewer at the end."""
        if len(self._buffer) - self._at < size:
            self._load(size)
        return self._buffer[self._at : self._at + size]

    def at_end(self) -> bool:
        """Whether the stream is at its end."""
        return not self.peek(1)


def reader_of(file: BinaryIO) -> tuple[Reader, bool]:
    """A reader from the file's start, and whether the file is compressed."""
    head = file.read(8)
    file.seek(0)
    for magic, kind in COMPRESSED.items():
        if head.startswith(magic):
            return Reader(CompressedStream(file, kind, head.startswith(_CERTAIN))), True
    return Reader(PlainStream(file)), False
