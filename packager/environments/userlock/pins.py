"""The pins of a user's lock file, and their checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PROJECT = "project"
"""The source of a lock file's own project."""
LOCAL = ("archive", "directory", "editable")
"""Sources on the disk of the lock's author, whose paths are private."""
DIGITS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}


class NotALock(ValueError):
    """The fault of a user's lock file, as the second half of a sentence; never quotes an address."""


@dataclass(frozen=True)
class Pin:
    """One distribution as a lock file pins it.

    `source`: empty for an index, else an address, one of `LOCAL`, or `PROJECT`. `optional`: an install of the lock
    without options omits it.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    manager: str
    marker: str = ""
    source: str = ""
    optional: bool = False

    @property
    def commit(self) -> str:
        """The commit of its checkout, else an empty string."""
        found = re.fullmatch(r"(?:git|hg)(?:\+.+)?@([0-9a-f]+)", self.source)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.version} ({self.source})" if self.version and self.source else self.version or self.source


def make_pin(name: Any, version: Any, hashes: Iterable[str] = (), manager: str = "pip", **more: Any) -> Pin:
    """The checked pin; `version` may be empty where there is a source."""
    from packaging.utils import canonicalize_name

    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", name):
        raise NotALock("it has a package without a valid name")
    if not isinstance(version, str) or not re.fullmatch(r"[\w.!+~-]{0,99}", version):
        raise NotALock(f"the version of {name} is not a short text like '1.0'")
    if not version and not more.get("source"):
        raise NotALock(f"{name} has neither a version nor a source")
    check_marker(more.get("marker", ""), name)
    return Pin(canonicalize_name(name), version, tuple(sorted(set(hashes))), manager, **more)


def check_marker(marker: str, name: str) -> str:
    """The marker, unchanged; it may be empty."""
    from packaging.markers import InvalidMarker, Marker

    try:
        Marker(marker or "os_name == ''")
    except InvalidMarker:
        raise NotALock(f"a marker of {name} cannot be read") from None
    return marker


def stated_hash(text: str, where: str) -> str:
    """The hash as `sha256:...` in lower case."""
    kind, _, digest = text.lower().partition(":")
    if len(digest) != DIGITS.get(kind, len(digest) or -1) or not re.fullmatch("[0-9a-f]+", digest):
        raise NotALock(f"{where} has an invalid or truncated hash")
    return f"{kind}:{digest}"


def stated_hashes(hashes: Mapping[str, str], where: str) -> list[str]:
    """The hashes of a table, in the same form."""
    return [stated_hash(f"{kind}:{digest}", where) for kind, digest in hashes.items()]


def public(address: str) -> str:
    """The address without login, query and fragment; empty for a path on a disk."""
    from urllib.parse import urlsplit, urlunsplit

    try:
        parts = urlsplit(address)
    except ValueError:
        raise NotALock("it has an address that cannot be read") from None
    if parts.scheme in ("", "file", "git+file") or not parts.netloc:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def checkout(kind: str, address: str, commit: str, name: str) -> str:
    """`git+`, the address, `@` and the commit; without an address where the repository is on a disk."""
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise NotALock(f"{name} comes from a repository without a full commit")
    place = public(address.removeprefix(f"{kind}+"))
    return f"{kind}+{place}@{commit}" if place else f"{kind}@{commit}"


def version_of_file(address: str) -> str:
    """The version in the name of a wheel or source archive, else an empty string."""
    from urllib.parse import unquote

    from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

    name = unquote(address.partition("#")[0].partition("?")[0].rpartition("/")[2])
    try:
        return str(parse_wheel_filename(name)[1] if name.endswith(".whl") else parse_sdist_filename(name)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return ""
