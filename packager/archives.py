"""Extracts tar archives of strangers: no member leads out of the folder.

Python's own filters do it from 3.11.4 on; Debian 12 has 3.11.2, where the checks below do.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any, Literal

Filter = Literal["data", "tar"]
DATA: Filter = "data"
TAR: Filter = "tar"
"""Filters of `tarfile`: for files alone, links within the folder too; for the layers of an image, any link."""


def extract(archive: tarfile.TarFile, member: tarfile.TarInfo, into: Path, filter: Filter, **options: Any) -> None:
    """Extracts one member below `into`; raises `tarfile.TarError` or `ValueError` where it leads elsewhere."""
    if hasattr(tarfile, "data_filter"):
        archive.extract(member, into, filter=filter, **options)
        return
    check_member(member, into, filter)
    archive.extract(member, into, **options)


def extract_all(archive: tarfile.TarFile, into: Path, filter: Filter = DATA) -> None:
    """Extracts all members below `into`, in their order."""
    for member in archive:
        extract(archive, member, into, filter)


def check_member(member: tarfile.TarInfo, into: Path, filter: Filter) -> None:
    """Raises `ValueError` for a member outside of `into`, and with `DATA` for links out of it and special files."""
    inside = [member.name.lstrip("/") if filter == TAR else member.name]
    if filter == DATA:
        if not (member.isfile() or member.isdir() or member.islnk() or member.issym()):
            raise ValueError(f"{member.name!r} is a special file")
        inside += [os.path.join(os.path.dirname(member.name), member.linkname)] if member.issym() else []
        inside += [member.linkname] if member.islnk() else []
    home = os.path.realpath(into)
    for path in inside:
        if os.path.commonpath([home, os.path.realpath(os.path.join(home, path))]) != home:
            raise ValueError(f"{member.name!r} leads to {path!r}, which is outside the destination")
