"""Writes a bundle completely or not at all: to a temporary folder beside its place, checked, fsynced, renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import MlpackError, UsageError
from ..paths import beside, check_writable
from ..travel import Owned, duplicate, share
from .layout import LAYOUTS, NAME
from .manifest import Entry, Manifest, canonical, entry_of
from .reader import Bundle, check_files, open_bundle
from .replacing import check_replaceable, replace_bundle
from .schema import Fault, check_manifest

SYNCED_AT_ONCE = 8
Files = Mapping[str, bytes | Path | Owned]
"""By path in the bundle, the content, or the file to copy; a file that mlpack made can be linked."""
Evidence = Files | Callable[[str], Files]
"""Such files, or a function that makes them from the bundle's identity."""
Replay = Callable[[Bundle], object]
"""Replays the golden cases of a bundle; raises a kind of `MlpackError` where an answer differs."""


def check_free(place: Path, overwrite: bool = False) -> None:
    """Raises `UsageError` where `place` cannot be written to, or contains something that must not be replaced."""
    check_writable(place)
    if overwrite and os.path.lexists(place):
        check_replaceable(place)
    elif place.exists():
        raise UsageError(
            f"{place} exists already: give another --version or --output, replace it with --overwrite, or remove it"
        )


def write_bundle(
    place: Path,
    facts: Mapping[str, Any],
    files: Files,
    evidence: Evidence,
    overwrite: bool = False,
    replay: Replay = lambda bundle: None,
) -> Manifest:
    """The manifest of the bundle that is now at `place`.

    `evidence`: files below `evidence/`, outside the identity, such as measurements; or a function that makes them from
    the identity. `overwrite`: replaces a bundle that is already at `place`.
    Checks the files against the manifest and calls `replay` before the bundle gets its name; if either fails, raises
    its error and leaves nothing.
    """
    try:
        check_free(place, overwrite)
        place.parent.mkdir(parents=True, exist_ok=True)
        with beside(place) as folder:
            manifest = _write(folder, facts, files, evidence)
            _check_written(folder, place, files, replay)
            _sync(folder)
            _settle(folder, place, overwrite)
            return manifest
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise UsageError(f"the bundle cannot be written at {place}: {error.strerror}{where}") from error


def _write(folder: Path, facts: Mapping[str, Any], files: Files, evidence: Evidence) -> Manifest:
    manifest = Manifest(facts, _fill(folder, files))
    try:
        check_manifest(facts, [entry.path for entry in manifest.files])
    except Fault as fault:
        raise UsageError(f"the bundle cannot be made: {fault}") from fault
    _fill(folder, {NAME: manifest.encode()})
    listed = _fill(folder, evidence(manifest.identity) if callable(evidence) else evidence)
    apart = canonical({"identity": manifest.identity, "files": _listing(listed)})
    _fill(folder, {LAYOUTS[manifest.format].list: apart})
    return manifest


def _check_written(folder: Path, place: Path, files: Files, replay: Replay) -> None:
    """Raises the errors that `mlpack verify` raises for the bundle in `folder`: such a bundle must not exist.

    A large file whose digest was taken during mlpack's own copy is not read again, unless it was written to since.
    """
    try:
        bundle = open_bundle(folder)
        for path, content in files.items():
            if isinstance(content, Owned) and content.modified:
                bundle.remember(path, content.modified)
        check_files(bundle)
        replay(bundle)
    except MlpackError as error:
        found = str(error).replace(folder.name, place.name)
        words = f"{place} was not written, because the finished bundle fails its own verify: {found}"
        raise type(error)(words, **error.facts) from error


def _listing(entries: tuple[Entry, ...]) -> dict[str, Any]:
    return {e.path: {"sha256": e.sha256, "size": e.size} for e in entries}


def _fill(folder: Path, files: Files) -> tuple[Entry, ...]:
    """Writes the files and returns their entries, sorted by path."""
    return tuple(_fill_one(folder, path, content) for path, content in sorted(files.items()))


def _fill_one(folder: Path, path: str, content: bytes | Path | Owned) -> Entry:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
        return Entry(path, hashlib.sha256(content).hexdigest(), len(content))
    if isinstance(content, Owned):
        return entry_of(folder, share(content.path, target), content.sha256)
    return entry_of(folder, duplicate(content, target))


def _sync(folder: Path) -> None:
    """Flushes every file and folder to disk, so that they are there before the name is."""
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
    """Renames the finished folder and flushes the name to disk."""
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
