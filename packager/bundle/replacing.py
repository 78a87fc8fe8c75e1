"""Replaces an older bundle atomically: a reader sees the complete old one or the complete new one."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from ..errors import DamagedError, UsageError
from .layout import NAME
from .manifest import Manifest

_EXCHANGE = 2
_HERE = -100
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.EPERM)
"""Errors of a kernel or a file system that cannot exchange two names."""


def check_replaceable(place: Path) -> None:
    """Raises `UsageError` where the folder at `place` is not a bundle: only bundles are replaced."""
    try:
        fits = place.is_dir() and not place.is_symlink() and bool(Manifest.decode((place / NAME).read_bytes()))
    except (OSError, DamagedError):
        fits = False
    if not fits:
        raise UsageError(
            f"{place} is not a bundle, and --overwrite replaces bundles only: move it, or give another name"
        )


def replace_bundle(folder: Path, place: Path) -> None:
    """Exchanges the checked bundle in `folder` with the one at `place`."""
    check_replaceable(place)
    if not _exchanged(folder, place):
        _renamed(folder, place)


def _exchanged(folder: Path, place: Path) -> bool:
    """Exchanges the two names in one step; returns whether the system can."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None:
        return False
    if exchange(_HERE, os.fsencode(folder.absolute()), _HERE, os.fsencode(place.absolute()), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(place))


def _renamed(folder: Path, place: Path) -> None:
    """Exchanges the two names in two steps; undoes the first where the second fails."""
    aside = place.with_name(f"{place.name}.replaced-{os.getpid()}")
    os.rename(place, aside)
    try:
        os.rename(folder, place)
    except OSError:
        os.rename(aside, place)
        raise
    folder.mkdir()
    os.rename(aside, folder / "replaced")
