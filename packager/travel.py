"""Transfers files between folders by reflink or hard link where that is safe, else by one copy."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from mlpack_toolkit.converters.artifact import File

_FICLONE = 0x40049409
"""Linux's request to share the blocks of a file with another: later writes to one do not change the other."""


class Digest(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Owned:
    """A file that mlpack made in a temporary folder and never writes again: a hard link to it is safe.

    `sha256`: its digest in hex, where it is known already; a large file is read once less then. `modified`: when the
    file had been written last as that digest was taken, in nanoseconds; 0: not known.
    """

    path: Path
    sha256: str = ""
    modified: int = 0

    def as_file(self, path: str) -> File:
        """The same as a file of an artifact, whose path there is `path`; its digest is known."""
        return File(path, self.sha256, self.path.stat().st_size, self.modified)


PIECE = 4 << 20


def duplicate(source: Path, target: Path) -> Path:
    """Copies `source` to the independent file `target`, which may share blocks until the first write."""
    with source.open("rb") as file:
        _fill(file.fileno(), target)
    return target


def digested(source: Path, target: Path) -> Owned:
    """Copies a file and takes its digest: the bytes are read once for both."""
    with source.open("rb") as file:
        return _fill_digested(file.fileno(), target)


def receive(source: Path, target: Path, most: int) -> Owned:
    """Copies a file that another process may still write: a plain file of at most `most` bytes.

    Raises `OSError`, and `ValueError` for any other file.
    """
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb"):
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise ValueError(f"{source.name} is no file of at most {most:,} bytes")
        return _fill_digested(descriptor, target)


def share(source: Path, target: Path) -> Path:
    """Makes `target` from a file that is never written again: by hard link where possible."""
    if os.path.lexists(target):
        raise FileExistsError(target)
    try:
        os.link(source, target)
    except OSError:  # another disk, or no hard links
        duplicate(source, target)
    return target


def lay_out(files: Mapping[str, bytes | Path], folder: Path) -> None:
    """Writes the files below a folder, by their paths there; those on disk are duplicated."""
    for name, source in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source) if isinstance(source, bytes) else duplicate(source, target)


def _fill(source: int, target: Path) -> None:
    with target.open("wb") as copy:
        if not _cloned(source, copy.fileno()):
            os.lseek(source, 0, os.SEEK_SET)
            with os.fdopen(os.dup(source), "rb") as file:
                shutil.copyfileobj(file, copy, 1 << 20)


def _fill_digested(source: int, target: Path) -> Owned:
    digest = hashlib.sha256()
    with target.open("w+b") as copy:
        cloned = _cloned(source, copy.fileno())
        os.lseek(source, 0, os.SEEK_SET)
        with os.fdopen(os.dup(copy.fileno() if cloned else source), "rb") as file, ThreadPoolExecutor(1) as hasher:
            _pass_on(file, None if cloned else copy, digest, hasher)
        copy.flush()
        return Owned(target, digest.hexdigest(), os.fstat(copy.fileno()).st_mtime_ns)


def _pass_on(file: IO[bytes], copy: IO[bytes] | None, digest: Digest, hasher: ThreadPoolExecutor) -> None:
    """Writes each piece while its digest is taken by another thread: both take about as long."""
    while piece := file.read(PIECE):
        taken = hasher.submit(digest.update, piece)
        if copy is not None:
            copy.write(piece)
        taken.result()


def _cloned(source: int, target: int) -> bool:
    """Whether the file system shares the blocks of one file with another."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True
