"""The manifest: every file of a bundle with its sha256, as canonical JSON; its own sha256 is the bundle's identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DamagedError

FORMAT = 1
NAME = "manifest.json"
MEASURED = "measurements/"


@dataclass(frozen=True)
class Entry:
    """One file: `sha256` in hex, `size` in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a bundle is.

    `facts`: name, version, signature, framework, precision, tolerances and the like. `files`: sorted by path.
    What a clock had a hand in (`measurements/`, the report with its latency curves) is listed in a manifest of its own,
    `measurements/manifest.json`: it never is part of the identity.
    """

    facts: Mapping[str, Any]
    files: tuple[Entry, ...]

    def encode(self) -> bytes:
        """Canonical JSON: sorted keys, no white space beyond line ends, UTF-8."""
        files = {e.path: {"sha256": e.sha256, "size": e.size} for e in self.files}
        return canonical({"format": FORMAT, **self.facts, "files": files})

    @property
    def identity(self) -> str:
        return "sha256:" + hashlib.sha256(self.encode()).hexdigest()

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """The manifest that `encode` wrote; `DamagedError` where it is none, or of a later format."""
        try:
            plain = json.loads(raw)
            files = plain.pop("files")
            number = plain.pop("format")
            entries = tuple(Entry(p, f["sha256"], f["size"]) for p, f in sorted(files.items()))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedError(f"{NAME} is not a manifest: {error!r}") from error
        if number != FORMAT:
            raise DamagedError(f"{NAME} has format {number}, this mlpack reads format {FORMAT}: use a later mlpack")
        return cls(plain, entries)


def canonical(plain: Any) -> bytes:
    """The one way in which mlpack writes JSON that is hashed."""
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1, separators=(",", ": "))
    return text.encode() + b"\n"


def entry_of(folder: Path, path: Path) -> Entry:
    """The entry of a file below `folder`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(path.relative_to(folder).as_posix(), digest, path.stat().st_size)


def entries_below(folder: Path) -> tuple[Entry, ...]:
    """The entries of all files below `folder`, sorted; a link or a special file is an error."""
    found = []
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DamagedError(f"{path} is a link or a special file: a bundle holds plain files only")
        if path.is_file():
            found.append(entry_of(folder, path))
    return tuple(found)
