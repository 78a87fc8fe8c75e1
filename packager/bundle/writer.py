"""A bundle written whole or not at all: into a temporary folder beside its place, checked there, fsynced, renamed."""

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
"""Path in the bundle to its content, or to the file to copy; one that mlpack made can be linked."""
Evidence = Files | Callable[[str], Files]
"""Such files, or what makes them of the bundle's identity."""
Replay = Callable[[Bundle], object]
"""Replays the golden cases of a bundle; raises a kind of `MlpackError` where an answer differs."""


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
    place: Path,
    facts: Mapping[str, Any],
    files: Files,
    evidence: Evidence,
    overwrite: bool = False,
    replay: Replay = lambda bundle: None,
) -> Manifest:
    """The manifest of the bundle that is now at `place`.

    `evidence`: files below `evidence/`, listed apart and no part of the identity, such as what a clock measured; or a
    function that makes them once the identity is known. `overwrite`: a bundle that is there already is replaced by the
    finished one.
    The files are held against the manifest, and `replay` is called, before the bundle gets its name: where either
    fails, its error is raised and nothing is left.
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
        raise UsageError(f"no bundle can be made of this: {fault}") from fault
    _fill(folder, {NAME: manifest.encode()})
    listed = _fill(folder, evidence(manifest.identity) if callable(evidence) else evidence)
    apart = canonical({"identity": manifest.identity, "files": _listing(listed)})
    _fill(folder, {LAYOUTS[manifest.format].list: apart})
    return manifest


def _check_written(folder: Path, place: Path, files: Files, replay: Replay) -> None:
    """Raises what `mlpack verify` raises of the bundle in `folder`: what it finds is no bundle that may exist.

    A large file whose digest was taken as mlpack copied it is not read again, where nobody wrote to it since.
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
    """The entries of the files that it writes, sorted by path."""
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
