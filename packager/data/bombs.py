"""Detects small files that expand to more than this machine's memory, from their headers, before they expand."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError

MOST_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
"""The most bytes of rows in memory: half of the machine's."""
MOST_UNPACKED = 16 << 30
MOST_RATIO = 200
"""The largest expansion of a package; source code expands about five times."""


def expanded(archive: Path) -> int:
    """The bytes of a zip archive's files, by its headers, which no file can exceed. Raises `BadZipFile`."""
    with zipfile.ZipFile(archive) as members:
        return sum(member.file_size for member in members.infolist())


def check_rows(path: Path, size: int) -> None:
    """Raises `UsageError` where the rows of a file need more memory than there is."""
    if size > MOST_BYTES:
        raise UsageError(
            f"{path.name} has {path.stat().st_size:,} bytes and expands to {size:,}, more than half of this machine's "
            "memory: give fewer rows at a time"
        )


def check_tar(members: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, in their order; raises `TarError` before their content exceeds that of any package."""
    total = 0
    for member in members:
        yield member
        total += member.size
        if total > MOST_UNPACKED:
            raise tarfile.TarError(f"it unpacks to more than {MOST_UNPACKED >> 30} GiB")


def is_bomb(archive: Path) -> bool:
    """Whether a package, a zip archive, unpacks to far more than packages do. Raises `BadZipFile`."""
    return expanded(archive) > min(MOST_UNPACKED, (64 << 20) + MOST_RATIO * archive.stat().st_size)
