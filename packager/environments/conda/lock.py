"""The lock of a conda environment: `conda-lock.yml` as conda-lock reads it, and an explicit file.

The explicit file names each archive as `URL#sha256:HASH`. conda's proposal for text spec files defines the form
(conda/ceps, pull request 79: 64 hex digits, the prefix `sha256:` may be there). conda takes it since 24.9.0
(conda/conda, pull request 14048: older ones say "Could not parse explicit URL"), libmamba in `PackageInfo::from_url`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import DamagedError, EnvironmentFault
from .record import FILE_NAME, SHA256, SUBDIR, CondaRecord

LOCK = "conda-lock.yml"
EXPLICIT = "conda-explicit.txt"
MOST_BYTES = 16 << 20
VENDORED = "conda/"
"""The channel in a bundle, relative to the lock: a package that came from a folder has no other address."""
SIZE = "size:"
"""The key for sizes: conda-lock's entries have none, and its metadata takes any text."""
PLATFORMS = (
    (r"linux-x86_64", "linux-64"),
    (r"linux-(aarch64|ppc64le|s390x)", r"linux-\1"),
    (r"macosx-[\d.]+-x86_64", "osx-64"),
    (r"macosx-[\d.]+-arm64", "osx-arm64"),
    (r"win-amd64", "win-64"),
    (r"((linux|osx|win)-(32|64|arm64))", r"\1"),
)
"""Python's name of a platform (`sysconfig.get_platform()`) to conda's."""


@dataclass(frozen=True)
class Locked:
    """One conda package of a lock. `url`: absolute, or below the lock's folder. `size`: 0 where unknown."""

    name: str
    platform: str
    url: str
    subdir: str
    file_name: str
    sha256: str
    md5: str
    size: int

    @property
    def path(self) -> str:
        """The archive's path in a channel: `SUBDIR/FILE`."""
        return f"{self.subdir}/{self.file_name}"

    @property
    def remote(self) -> bool:
        return "://" in self.url


def conda_platform(platform: str) -> str:
    """conda's name of a platform, from Python's (`linux-x86_64`) or conda's own (`linux-64`)."""
    for pattern, name in PLATFORMS:
        if match := re.fullmatch(pattern, platform):
            return match.expand(name)
    raise EnvironmentFault(f"conda has no packages for the platform {platform}")


def lock_files(
    records: Iterable[CondaRecord], distributions: Iterable[Mapping[str, Any]], platform: str
) -> dict[str, bytes]:
    """`conda-lock.yml` and `conda-explicit.txt`: the same bytes for the same packages.

    `distributions`: entries of environment.json; those that conda did not install and that have a `wheel` (`url` or
    `path`, `sha256`) are locked with the manager pip. conda-lock demands an md5 of each conda package: one whose
    record has none is locked without, and then conda-lock itself refuses the file.
    """
    ordered = _dependencies_first(records)
    wheels = sorted((d for d in distributions if _is_pip(d)), key=lambda d: str(d["name"]).lower())
    name = conda_platform(platform)
    return {LOCK: _conda_lock(ordered, wheels, name), EXPLICIT: _explicit(ordered, wheels, name)}


def read_lock(path: Path) -> tuple[Locked, ...]:
    """The conda packages of a `conda-lock.yml` that `lock_files` wrote; `DamagedError` for anything else."""
    import yaml

    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        plain = yaml.safe_load(path.read_bytes())
        sizes = plain["metadata"].get("custom_metadata", {})
        return tuple(_locked(p, sizes) for p in plain["package"] if p["manager"] == "conda")
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{path.name} cannot be read as a lock of conda packages: {error!r}") from error


def _locked(plain: Mapping[str, Any], sizes: Mapping[str, str]) -> Locked:
    url, sha256 = str(plain["url"]), str(plain["hash"]["sha256"])
    subdir, _, file_name = unquote(urlsplit(url).path).rpartition("/")
    subdir = subdir.rpartition("/")[2]
    if not SUBDIR.fullmatch(subdir) or not FILE_NAME.fullmatch(file_name) or not SHA256.fullmatch(sha256):
        raise ValueError(f"{url} with the sha256 {sha256!r} is no package")
    size = int(sizes.get(f"{SIZE}{subdir}/{file_name}", 0))
    md5 = str(plain["hash"].get("md5", ""))
    return Locked(str(plain["name"]), str(plain["platform"]), url, subdir, file_name, sha256, md5, size)


def _conda_lock(records: list[CondaRecord], wheels: list[Mapping[str, Any]], platform: str) -> bytes:
    """The lock in format version 1. `content_hash` identifies the request, which here is the installed packages."""
    import yaml

    packages = sorted((_conda_entry(r, platform) for r in records), key=lambda p: str(p["name"]))
    packages += [_pip_entry(d, platform) for d in wheels]
    digest = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    metadata: dict[str, Any] = {
        "content_hash": {platform: digest},
        "channels": [{"url": c, "used_env_vars": []} for c in sorted({r.channel or VENDORED for r in records})],
        "platforms": [platform],
        "sources": [],
        "custom_metadata": {SIZE + r.path: str(r.size) for r in sorted(records, key=lambda r: r.path) if r.size},
    }
    lock = {"version": 1, "metadata": metadata, "package": packages}
    return bytes(yaml.safe_dump(lock, sort_keys=False, allow_unicode=True, width=1000, encoding="utf-8"))


def _conda_entry(record: CondaRecord, platform: str) -> dict[str, Any]:
    md5 = {"md5": record.md5} if record.md5 else {}
    return {
        "name": record.name,
        "version": record.version,
        "manager": "conda",
        "platform": platform,
        "dependencies": _specs(record.depends),
        "url": _address(record),
        "hash": {**md5, "sha256": record.sha256},
        "build": record.build,
        "category": "main",
        "optional": False,
    }


def _pip_entry(distribution: Mapping[str, Any], platform: str) -> dict[str, Any]:
    requires = [r for r in distribution.get("requires") or () if ";" not in r]
    return {
        "name": distribution["name"],
        "version": distribution["version"],
        "manager": "pip",
        "platform": platform,
        "dependencies": _specs(requires),
        "url": _wheel_address(distribution),
        "hash": {"sha256": distribution["wheel"]["sha256"].removeprefix("sha256:")},
        "category": "main",
        "optional": False,
    }


def _specs(depends: Iterable[str]) -> dict[str, str]:
    """Name to condition; conditions on one name are joined."""
    found: dict[str, list[str]] = {}
    for each in depends:
        text = each.strip()
        name = re.sub(r"[^\w.-].*", "", text, flags=re.DOTALL)
        found.setdefault(name, []).append(text.removeprefix(name).strip())
    return {name: ",".join(filter(None, found[name])) for name in sorted(found)}


def _explicit(records: list[CondaRecord], wheels: list[Mapping[str, Any]], platform: str) -> bytes:
    """The explicit file: dependencies first, since its readers do not solve; pip's packages as comments, as conda-lock
    writes them."""
    lines = ["# conda create --prefix FOLDER --file conda-explicit.txt", f"# platform: {platform}", "@EXPLICIT"]
    lines += [f"{_address(r)}#sha256:{r.sha256}" for r in records]
    for each in wheels:
        digest = each["wheel"]["sha256"].removeprefix("sha256:")
        lines.append(f"# pip {each['name']} @ {_wheel_address(each)} --hash=sha256:{digest}")
    return "\n".join(lines).encode() + b"\n"


def _address(record: CondaRecord) -> str:
    return record.url or VENDORED + record.path


def _wheel_address(distribution: Mapping[str, Any]) -> str:
    wheel = distribution["wheel"]
    return str(wheel.get("url") or wheel.get("path"))


def _is_pip(distribution: Mapping[str, Any]) -> bool:
    wheel = distribution.get("wheel") or {}
    return distribution.get("origin") != "conda" and bool(
        wheel.get("sha256") and (wheel.get("url") or wheel.get("path"))
    )


def _dependencies_first(records: Iterable[CondaRecord]) -> list[CondaRecord]:
    """The packages in order of dependency, else by name; a cycle is cut where it is entered."""
    waiting = {r.name: r for r in sorted(records, key=lambda r: r.name)}
    ordered: list[CondaRecord] = []

    def place(name: str) -> None:
        if record := waiting.pop(name, None):
            for needed in _specs(record.depends):
                place(needed)
            ordered.append(record)

    for name in list(waiting):
        place(name)
    return ordered
