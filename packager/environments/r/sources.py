"""Fetches source archives of R packages from a repository in CRAN's layout: a folder or a URL."""

from __future__ import annotations

import re
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from ...data.bombs import check_tar
from ...errors import EnvironmentFault

SECONDS = 60.0
MOST_BYTES = 2**30
MOST_TEXT = 2**20


def fetch_source(place: str, name: str, version: str, into: Path) -> Path | None:
    """Puts a package's source archive into `into`; None where the repository lacks that version."""
    base = place.rstrip("/") if "://" in place else Path(place).absolute().as_uri()
    file = f"{name}_{version}.tar.gz"
    for path in (file, f"Archive/{name}/{file}"):
        raw = _read(f"{base}/src/contrib/{path}")
        if raw is not None:
            into.mkdir(parents=True, exist_ok=True)
            (into / file).write_bytes(raw)
            _check(into / file, name, version)
            return into / file
    return None


def _read(url: str) -> bytes | None:
    """The file's content; None where there is no file."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            raw: bytes = answer.read(MOST_BYTES)
            return raw
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise EnvironmentFault(f"{url} cannot be fetched: {error}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        if isinstance(getattr(error, "reason", None), FileNotFoundError):
            return None
        raise EnvironmentFault(f"{url} cannot be fetched: {error}") from error


def _check(archive: Path, name: str, version: str) -> None:
    """Raises `EnvironmentFault` unless the archive describes itself as this package."""
    try:
        with tarfile.open(archive) as members:
            member = next((m for m in check_tar(members) if m.name == f"{name}/DESCRIPTION"), None)
            file = members.extractfile(member) if member else None
            text = file.read(MOST_TEXT).decode("utf-8", "replace") if file else ""
    except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
        raise EnvironmentFault(f"{archive.name} of the repository is not a source archive of R: {error}") from error
    said = dict(re.findall(r"(?m)^(Package|Version): *(\S+)", text))
    if said != {"Package": name, "Version": version}:
        raise EnvironmentFault(f"{archive.name} of the repository claims to be {said}: the repository is damaged")
