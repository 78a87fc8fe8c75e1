"""HDF5 files hold their own numbers: one that leads to another file is refused, whatever Keras of that version does."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from ..spec import Unreadable

SUFFIX = ".h5"
MOST = 1_000_000
"""Groups and datasets of a file."""


def check_links(path: Path) -> None:
    """Raises `Unreadable` for an `.h5` file, or one in a `.keras` archive, that takes numbers from another file."""
    try:
        _check_file(path)
    except (OSError, RuntimeError, TypeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Unreadable(f"the weights in {path.name} cannot be read as HDF5: {str(error)[:200]}") from error


def _check_file(path: Path) -> None:
    import h5py

    with path.open("rb") as file:
        head = file.read(4)
    if head != b"PK\3\4":
        with h5py.File(str(path), "r") as opened:
            return _check(h5py, opened, path.name)
    with zipfile.ZipFile(path) as archive:
        for name in (each for each in archive.namelist() if each.endswith(SUFFIX)):
            with archive.open(name) as member, h5py.File(member, "r") as opened:
                _check(h5py, opened, name)


def _check(h5py: Any, file: Any, name: str) -> None:
    waiting: list[Any] = [file]
    seen: set[int] = set()
    while waiting:
        group = waiting.pop()
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _leads(name, f"{group.name}/{key}", str(link.filename))
            if isinstance(link, h5py.SoftLink):
                continue
            found = group[key]
            if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
                others = [each[0] for each in found.external or ()] or [v.file_name for v in found.virtual_sources()]
                raise _leads(name, found.name, str(others[0]) if others else "")
            place = h5py.h5o.get_info(found.id).addr
            if isinstance(found, h5py.Group) and place not in seen:
                seen.add(place)
                waiting.append(found)
        if len(seen) > MOST:
            raise Unreadable(f"{name} has more than {MOST} groups, as no model has")


def _leads(name: str, place: str, other: str) -> Unreadable:
    return Unreadable(
        f"{name} takes {place[-80:]} from another file ({other[:80]!r}), which is no part of the model: save it again"
    )
