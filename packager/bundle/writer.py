"""A bundle written whole or not at all: into a temporary folder beside its place, fsynced, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..places import beside
from .manifest import MEASURED, NAME, Entry, Manifest, canonical, entries_below, entry_of
from .schema import Fault, check_manifest

SYNCED_AT_ONCE = 8
Files = Mapping[str, bytes | Path]
"""Path in the bundle to its content, or to the file to copy."""


def check_free(place: Path) -> None:
    """`UsageError` where something lies at `place` already, or nothing can be written there."""
    lowest = next(folder for folder in place.absolute().parents if folder.exists())
    if not lowest.is_dir() or not os.access(lowest, os.W_OK | os.X_OK, effective_ids=True):
        raise UsageError(f"{place} cannot be written: {lowest} is not a folder that you may write to")
    if place.exists():
        raise UsageError(f"{place} exists already: give another --version or --output, or remove it")


def write_bundle(place: Path, facts: Mapping[str, Any], files: Files, measured: Files) -> Manifest:
    """The manifest of the bundle that now lies at `place`.

    `measured`: files that a clock had a hand in, listed apart and no part of the identity.
    """
    try:
        check_free(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        with beside(place) as folder:
            return _write(folder, place, facts, files, measured)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UsageError(f"the bundle cannot be written at {place}: {error.strerror}{where}") from error


def _write(folder: Path, place: Path, facts: Mapping[str, Any], files: Files, measured: Files) -> Manifest:
    _fill(folder, files)
    manifest = Manifest(facts, entries_below(folder))
    try:
        check_manifest(facts, [entry.path for entry in manifest.files])
    except Fault as fault:
        raise UsageError(f"no bundle can be made of this: {fault}") from fault
    _fill(folder, {NAME: manifest.encode()})
    _fill(folder, measured)
    listed = [entry_of(folder, folder / path) for path in sorted(measured)]
    _fill(folder, {MEASURED + NAME: canonical({"identity": manifest.identity, "files": _listing(listed)})})
    _sync(folder)
    _rename(folder, place)
    return manifest


def _listing(entries: list[Entry]) -> dict[str, Any]:
    return {e.path: {"sha256": e.sha256, "size": e.size} for e in entries}


def _fill(folder: Path, files: Files) -> None:
    for path, content in sorted(files.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)


def _sync(folder: Path) -> None:
    """Every file and folder is on the disk before the name is."""
    folder.chmod(0o755)
    with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
        list(pool.map(_sync_one, [folder, *folder.rglob("*")]))


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(folder: Path, place: Path) -> None:
    try:
        os.rename(folder, place)
    except OSError as error:
        raise UsageError(f"{place} appeared while the bundle was being built: {error.strerror}") from error
    descriptor = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
