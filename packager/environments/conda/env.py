"""Records a conda environment, locks and vendors its packages, and rebuilds it from them.

Capturing reads `conda-meta/*.json` and runs nothing. Only `rebuild` needs py-rattler, which neither downloads nor
checks anything here: all archives are present and checked against the lock before the first is unpacked.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from ...paths import beside
from .archives import Fetch, difference, download, vendor
from .lock import EXPLICIT, LOCK, Locked, conda_platform, lock_files, read_lock
from .record import CondaRecord, clean_url, is_conda, records

__all__ = [
    "CHANNEL",
    "EXPLICIT",
    "LOCK",
    "CondaRecord",
    "clean_url",
    "conda_platform",
    "is_conda",
    "lock_files",
    "rebuild",
    "records",
    "vendor",
]
CHANNEL = "conda"
"""The folder of the vendored channel, beside the lock."""
INTERPRETERS = ("bin/python", "python.exe")


def rebuild(
    folder: Path, into: Path, fetch: Fetch = download, finish: Callable[[Path], None] = lambda python: None
) -> Path:
    """Makes the conda environment of the lock in `folder` at `into`; returns its interpreter.

    The archives come from `folder/conda` where that exists, else from their addresses through `fetch`.
    `finish` gets the interpreter and installs pip's packages. If anything fails, nothing is left at `into`.
    The archives' own post-link scripts are not run. `DamagedError` names an archive that is not the locked one,
    `MissingToolError` says how to get py-rattler, `EnvironmentFault` why the packages do not fit this machine.
    """
    rattler = _rattler()
    locked = read_lock(folder / LOCK)
    _check_machine(locked, str(rattler.Subdir.current()))
    place = _free(into)
    with _scratch(place) as scratch:
        archives = [_archive(folder, each, scratch, fetch) for each in locked]
        prefix = scratch / "prefix"
        _install(rattler, archives, prefix, place, scratch / "cache")
        _settle(rattler, prefix, locked)
        interpreter = _interpreter(prefix)
        _rename(prefix, place)
    try:
        finish(place / interpreter)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return place / interpreter


def _rattler() -> Any:
    try:
        return import_module("rattler")
    except ImportError as error:
        raise MissingToolError(
            "conda environments are rebuilt with py-rattler, which is not installed: "
            "pip install 'mlpack-toolkit[conda]'"
        ) from error


def _check_machine(locked: tuple[Locked, ...], here: str) -> None:
    others = sorted({each.platform for each in locked} - {here})
    if others:
        raise EnvironmentFault(f"the environment is locked for {', '.join(others)}: rebuild it there, this is {here}")
    if not locked:
        raise DamagedError(f"{LOCK} contains no conda package: there is nothing to rebuild")


def _free(into: Path) -> Path:
    """The absolute path; raises `UsageError` where it contains anything but an empty folder."""
    place = into.absolute()
    if place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
        raise UsageError(f"{into} exists already: give another folder, or remove it")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{into} cannot be made: {error.strerror}") from error
    return place


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    """A folder beside `place`, removed at the end."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(beside(place))
        except OSError as error:
            raise UsageError(f"nothing can be written beside {place}: {error.strerror}") from error
        yield folder


def _archive(folder: Path, locked: Locked, scratch: Path, fetch: Fetch) -> Path:
    """The archive of one package, checked to be the locked file."""
    vendored = folder / CHANNEL
    path, name = vendored / locked.path, f"{CHANNEL}/{locked.path}"
    if not vendored.is_dir():
        path, name = scratch / "archives" / locked.path, locked.url
        _fetch(locked, path, fetch)
    elif not path.is_file():
        raise DamagedError(f"{name} is missing from the bundle: get the bundle again", file=name)
    if wrong := difference(path, locked.sha256, locked.size):
        raise DamagedError(f"{name} is not the archive that was locked: {wrong}; nothing was installed", file=name)
    return path


def _fetch(locked: Locked, path: Path, fetch: Fetch) -> None:
    if not locked.remote:
        raise EnvironmentFault(
            f"{locked.path} came from a folder, so it has no address, and the bundle does not contain it: "
            "build the bundle again with --vendor where the environment still is"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    fetch(locked.url, path)


def _install(rattler: Any, archives: list[Path], prefix: Path, place: Path, cache: Path) -> None:
    """Installs the packages into `prefix`, for the final path `place`."""

    options = {"cache_dir": cache, "show_progress": False, "execute_link_scripts": False}

    async def install() -> None:
        found = [await rattler.RepoDataRecord.from_package_archive(path) for path in archives]
        await rattler.install(found, prefix, alternative_target_prefix=place, **options)

    try:
        asyncio.run(install())
    except Exception as error:
        raise EnvironmentFault(f"the conda packages cannot be installed into {place}: {error}") from error


def _settle(rattler: Any, prefix: Path, locked: tuple[Locked, ...]) -> None:
    """Writes the origin of each package into conda-meta, as in the original, so that its lock is the same again.

    The new records name no folder that is removed after the rebuild.
    """
    by_file = {each.file_name: each for each in locked}
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            found = rattler.PrefixRecord.from_path(path)
            each = by_file[found.file_name]
        except Exception as error:  # py-rattler's own have no common class
            raise DamagedError(f"a conda package brings {path.name}, which is no record of conda's own") from error
        own = rattler.PrefixRecord(found, found.paths_data, files=found.files, requested_specs=found.requested_specs)
        if each.remote:
            own.url, own.channel = each.url, each.url.removesuffix(f"/{each.path}")
        if each.md5:
            own.md5 = bytes.fromhex(each.md5)
        path.unlink()
        own.write_to_path(path, pretty=True)


def _interpreter(prefix: Path) -> str:
    for path in INTERPRETERS:
        if (prefix / path).is_file():
            return path
    raise EnvironmentFault(f"the packages of {LOCK} contain no Python, which the model needs")


def _rename(prefix: Path, place: Path) -> None:
    try:
        os.rename(prefix, place)
    except OSError as error:
        raise UsageError(f"{place} appeared while the environment was being rebuilt: {error.strerror}") from error
