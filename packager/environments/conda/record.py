"""Reads the installed conda packages from `conda-meta/*.json`, without conda and without the network.

py-rattler reads these files too, and a test compares the two. It is not used here, as a build in a conda environment
would then need its 80 MB, to save 54 of the 622 lines about conda (tried).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ...errors import EnvironmentFault

SUBDIR = re.compile(r"[a-z0-9]+(-[a-z0-9_]+)?")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*\.(conda|tar\.bz2)")
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class CondaRecord:
    """One installed conda package.

    `url`: its archive's address, without credentials; empty where it came from a folder of the machine.
    `channel`: the part of `url` before `/SUBDIR/FILE`. `size`: bytes, 0 where unknown. `timestamp`: the time
    of the package, in milliseconds. `archive`: its path on this machine, if any; never written anywhere.
    """

    name: str
    version: str
    build: str
    channel: str
    subdir: str
    url: str
    file_name: str
    size: int
    md5: str
    sha256: str
    depends: tuple[str, ...]
    licence: str
    build_number: int = 0
    constrains: tuple[str, ...] = ()
    noarch: str = ""
    timestamp: int = 0
    archive: Path | None = field(default=None, compare=False, repr=False)

    @property
    def path(self) -> str:
        """The archive's path in a channel: `SUBDIR/FILE`."""
        return f"{self.subdir}/{self.file_name}"


def is_conda(prefix: Path) -> bool:
    """Whether conda, mamba or micromamba made the environment at `prefix`."""
    meta = prefix / "conda-meta"
    return (meta / "history").is_file() or any(meta.glob("*.json"))


def records(prefix: Path) -> tuple[CondaRecord, ...]:
    """The conda packages of the environment at `prefix`, by name; `EnvironmentFault` names one without sha256."""
    found = [_record(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]
    return tuple(sorted(found, key=lambda r: (r.name, r.version, r.build)))


def clean_url(url: str, subdir: str) -> str:
    """The URL without user, password, `/t/TOKEN/`, query and fragment; empty for a file of this machine."""
    parts = urlsplit(url)
    if len(parts.scheme) < 2 or parts.scheme == "file":
        return ""
    path = re.sub(rf"/t/(?!{re.escape(subdir)}/)[^/]+(?=/)", "", parts.path)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))


def _record(path: Path) -> CondaRecord:
    try:
        plain = json.loads(path.read_bytes())
        return _from_json(plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise EnvironmentFault(f"conda-meta/{path.name} is not a conda record: {reason}") from error


def _from_json(plain: Mapping[str, Any]) -> CondaRecord:
    name, subdir, given = str(plain["name"]), str(plain["subdir"]), str(plain.get("url") or "")
    file_name = str(plain.get("fn") or unquote(urlsplit(given).path).rpartition("/")[2])
    if not SUBDIR.fullmatch(subdir) or not FILE_NAME.fullmatch(file_name):
        raise ValueError(f"{subdir}/{file_name} is no name of a package")
    sha256 = str(plain.get("sha256") or "").lower()
    if not SHA256.fullmatch(sha256):
        raise EnvironmentFault(
            f"conda-meta says no sha256 for {name} {plain['version']} ({plain['build']}), so it cannot be locked: "
            f"reinstall it from a channel that gives one (conda install --force-reinstall {name})"
        )
    url = clean_url(given, subdir)
    return CondaRecord(
        name=name,
        version=str(plain["version"]),
        build=str(plain["build"]),
        channel=url.removesuffix(f"/{subdir}/{url.rpartition('/')[2]}"),
        subdir=subdir,
        url=url,
        file_name=file_name,
        size=int(plain.get("size") or 0),
        md5=str(plain.get("md5") or "").lower(),
        sha256=sha256,
        depends=tuple(map(str, plain.get("depends") or ())),
        licence=str(plain.get("license") or ""),
        build_number=int(plain.get("build_number") or 0),
        constrains=tuple(map(str, plain.get("constrains") or ())),
        noarch=str(plain.get("noarch") or ""),
        timestamp=int(plain.get("timestamp") or 0),
        archive=_archive(given, str(plain.get("package_tarball_full_path") or "")),
    )


def _archive(url: str, cached: str) -> Path | None:
    """The archive's path on this machine: in the channel's folder, or in conda's package cache."""
    parts = urlsplit(url)
    candidates = [unquote(parts.path) if parts.scheme == "file" else "", cached]
    return next((Path(c) for c in candidates if c.endswith((".conda", ".tar.bz2")) and Path(c).is_file()), None)
