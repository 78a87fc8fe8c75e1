"""The files in a zip archive, checked before one of them is read."""

from __future__ import annotations

import stat
import zipfile
from pathlib import PurePosixPath, PureWindowsPath

from .values import Fault

MEMBER_LIMIT = 100_000


def check_members(archive: zipfile.ZipFile, total: int) -> None:
    """Raises `Fault` for too many files, for more than `total` bytes, and for names that leave the archive."""
    members = archive.infolist()
    if len(members) > MEMBER_LIMIT or sum(member.file_size for member in members) > total:
        raise Fault(f"its zip archive holds more than {MEMBER_LIMIT} files or {total >> 30} GiB")
    if len({member.filename for member in members}) != len(members):
        raise Fault("its zip archive holds two files of one name")
    for member in members:
        if _escapes(member.orig_filename) or stat.S_ISLNK(member.external_attr >> 16):
            raise Fault(f"its zip archive holds a path that leaves the archive: {member.orig_filename!r}")
        if member.flag_bits & 1:
            raise Fault("its zip archive is encrypted")


def _escapes(name: str) -> bool:
    windows = PureWindowsPath(name)
    return "\\" in name or "\0" in name or ".." in PurePosixPath(name).parts or bool(windows.drive or windows.root)
