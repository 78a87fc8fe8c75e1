"""Transfers files between folders by reflink or hard link where that is safe, else by one copy."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FICLONE = 0x40049409
"""Linux's request to share the blocks of a file with another: later writes to one do not change the other."""


@dataclass(frozen=True)
class Owned:
    """A file that mlpack made in a temporary folder and never writes again: a hard link to it is safe.

    `sha256`: its digest in hex, where it is already known, which saves reading a large file once more.
    """

    path: Path
    sha256: str = ""


def duplicate(source: Path, target: Path) -> Path:
    """Copies `source` to the independent file `target`, which may share blocks until the first write."""
    with source.open("rb") as file:
        _fill(file.fileno(), target)
    return target


def receive(source: Path, target: Path, most: int) -> Path:
    """Copies a file that another process may still write: a plain file of at most `most` bytes.

    Raises `OSError`, and `ValueError` for any other file.
    """
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb"):
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise ValueError(f"{source.name} is no file of at most {most:,} bytes")
        _fill(descriptor, target)
    return target


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
