"""Finds or fetches the archives of conda packages, checks their sha256 and size, and arranges them as a channel."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...bundle.manifest import canonical
from ...errors import EnvironmentFault
from .record import CondaRecord

Fetch = Callable[[str, Path], None]
"""Downloads a URL to a file; raises `EnvironmentFault` where it cannot."""
SECONDS = 60.0
SCHEMES = ("http", "https")


def download(url: str, target: Path) -> None:
    """Downloads `url` to `target`; raises `EnvironmentFault` where it cannot."""
    if url.partition(":")[0] not in SCHEMES:
        raise EnvironmentFault(f"{url} cannot be fetched: it is neither http nor https")
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as reply, target.open("wb") as file:
            shutil.copyfileobj(reply, file)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EnvironmentFault(f"{url} cannot be fetched: {getattr(error, 'reason', error)}") from error


def difference(path: Path, sha256: str, size: int) -> str:
    """How a file differs from the locked one, in words; empty where it does not. `size`: 0 where unknown."""
    if size and path.stat().st_size != size:
        return f"it has {path.stat().st_size} bytes, not {size}"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found == sha256 else f"its sha256 is {found}, not {sha256}"


def vendor(
    records: Iterable[CondaRecord], prefix_pkgs: Path | None, into: Path, fetch: Fetch = download
) -> tuple[Path, ...]:
    """Makes `into` a `file://` channel; returns its files `SUBDIR/ARCHIVE` and `SUBDIR/repodata.json`, sorted.

    Copies an archive from conda's package cache `prefix_pkgs`, or from its path in conda-meta, else fetches it.
    Each must have the sha256 and the size of its record; else an `EnvironmentFault` names it.
    """
    packages = sorted(records, key=lambda r: r.path)
    files = [_take(record, prefix_pkgs, into / record.path, fetch) for record in packages]
    for subdir in sorted({"noarch", *(r.subdir for r in packages)}):
        path = into / subdir / "repodata.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(canonical(_repodata(subdir, packages)))
        files.append(path)
    return tuple(sorted(files))


def _take(record: CondaRecord, cache: Path | None, target: Path, fetch: Fetch) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    places = [cache / record.file_name if cache else None, record.archive]
    for place in places:
        if place and place.is_file() and not difference(place, record.sha256, record.size):
            shutil.copyfile(place, target)
            return target
    if not record.url:
        raise EnvironmentFault(
            f"{record.path} came from a folder, and no unchanged copy of it was found: put it into conda's package "
            f"cache (the pkgs folder), or install {record.name} from a channel with an address"
        )
    fetch(record.url, target)
    if wrong := difference(target, record.sha256, record.size):
        target.unlink()
        raise EnvironmentFault(f"{record.url} is no longer the installed one: {wrong}")
    return target


def _repodata(subdir: str, packages: list[CondaRecord]) -> dict[str, Any]:
    """`repodata.json` of one folder of a channel, version 1."""
    entries = {r.file_name: _entry(r) for r in packages if r.subdir == subdir}
    return {
        "info": {"subdir": subdir},
        "packages": {name: e for name, e in entries.items() if name.endswith(".tar.bz2")},
        "packages.conda": {name: e for name, e in entries.items() if name.endswith(".conda")},
        "removed": [],
        "repodata_version": 1,
    }


def _entry(record: CondaRecord) -> dict[str, Any]:
    known = {
        "license": record.licence,
        "md5": record.md5,
        "noarch": record.noarch,
        "size": record.size,
        "timestamp": record.timestamp,
    }
    return {
        "name": record.name,
        "version": record.version,
        "build": record.build,
        "build_number": record.build_number,
        "subdir": record.subdir,
        "depends": list(record.depends),
        "constrains": list(record.constrains),
        "sha256": record.sha256,
        **{key: value for key, value in known.items() if value},
    }
