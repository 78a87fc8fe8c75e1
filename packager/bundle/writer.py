"""A bundle written whole or not at all: into a temporary folder beside its place, fsynced, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..paths import beside, check_writable
from ..travel import Owned, duplicate, share
from .manifest import MEASURED, NAME, Entry, Manifest, canonical, entries_below, entry_of
from .replacing import check_replaceable, replace_bundle
from .schema import Fault, check_manifest

SYNCED_AT_ONCE = 8
Files = Mapping[str, bytes | Path | Owned]
"""Path in the bundle to its content, or to the file to copy; one that mlpack made can be linked."""
Measured = Files | Callable[[str], Files]
"""Such files, or what makes them of the bundle's identity."""


def check_free(place: Path, overwrite: bool = False) -> None:
    """`UsageError` where nothing can be written at `place`, or something is there that may not be replaced."""
    check_writable(place)
    if overwrite and os.path.lexists(place):
        check_replaceable(place)
    elif place.exists():
        raise UsageError(
            f"{place} exists already: give another --version or --output, replace it with --overwrite, or remove it"
        )


def write_bundle(
    place: Path, facts: Mapping[str, Any], files: Files, measured: Measured, overwrite: bool = False
) -> Manifest:
    """The manifest of the bundle that is now at `place`.

    `measured`: files that a clock had a hand in, listed apart and no part of the identity; or a function that makes
    them once the identity is known. `overwrite`: a bundle that is there already is replaced by the finished one.
    """
    try:
        check_free(place, overwrite)
        place.parent.mkdir(parents=True, exist_ok=True)
        with beside(place) as folder:
            manifest = _write(folder, facts, files, measured)
            _settle(folder, place, overwrite)
            return manifest
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UsageError(f"the bundle cannot be written at {place}: {error.strerror}{where}") from error


def _write(folder: Path, facts: Mapping[str, Any], files: Files, measured: Measured) -> Manifest:
    _fill(folder, files)
    known = {path: each.sha256 for path, each in files.items() if isinstance(each, Owned) and each.sha256}
    manifest = Manifest(facts, entries_below(folder, known))
    try:
        check_manifest(facts, [entry.path for entry in manifest.files])
    except Fault as fault:
        raise UsageError(f"no bundle can be made of this: {fault}") from fault
    _fill(folder, {NAME: manifest.encode()})
    others = measured(manifest.identity) if callable(measured) else measured
    _fill(folder, others)
    listed = [entry_of(folder, folder / path) for path in sorted(others)]
    _fill(folder, {MEASURED + NAME: canonical({"identity": manifest.identity, "files": _listing(listed)})})
    _sync(folder)
    return manifest


def _listing(entries: list[Entry]) -> dict[str, Any]:
    return {e.path: {"sha256": e.sha256, "size": e.size} for e in entries}


def _fill(folder: Path, files: Files) -> None:
    for path, content in sorted(files.items()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Owned):
            share(content.path, target)
        elif isinstance(content, Path):
            duplicate(content, target)
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


def _settle(folder: Path, place: Path, overwrite: bool) -> None:
    """Gives the finished folder its name, and the name to the disk."""
    try:
        if overwrite and os.path.lexists(place):
            replace_bundle(folder, place)
        else:
            os.rename(folder, place)
    except OSError as error:
        raise UsageError(f"{place} appeared while the bundle was being built: {error.strerror}") from error
    descriptor = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
