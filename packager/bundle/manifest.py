"""The manifest: every file of a bundle with its sha256, as canonical JSON; its own sha256 is the bundle's identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import File
from mlpack_toolkit.runtimes.engine.schema import Fault, parse, record, whole
from mlpack_toolkit.runtimes.engine.schema import files as entries
from mlpack_toolkit.runtimes.server.manifest import FORMAT, FORMATS

from ..errors import DamagedError
from .layout import NAME as NAME

Entry = File
"""One file of a bundle, its path relative to the bundle's folder."""


@dataclass(frozen=True)
class Manifest:
    """The content of a bundle.

    `facts`: name, version, sources, parts, variants and the like, in the terms of `format`. `files`: sorted by path.
    Evidence (measurements, the report with its latency curves, files that others add) has a list of its own,
    `evidence/manifest.json`, and is never part of the identity.
    """

    facts: Mapping[str, Any]
    files: tuple[Entry, ...]
    format: int = FORMAT

    def encode(self) -> bytes:
        """Canonical JSON: sorted keys, no white space beyond line ends, UTF-8."""
        files = {e.path: {"sha256": e.sha256, "size": e.size} for e in self.files}
        return canonical({"format": self.format, **self.facts, "files": files})

    @property
    def identity(self) -> str:
        return "sha256:" + hashlib.sha256(self.encode()).hexdigest()

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """The manifest that `encode` wrote; `DamagedError` for anything else, or a later format."""
        try:
            plain = parse(raw)
            record({"format": whole(0, 2**31)})(plain, "")
            number = plain.pop("format")
            if number in FORMATS:
                record({"files": entries})(plain, "")
        except Fault as fault:
            raise DamagedError(f"{NAME} is not a manifest: {fault}") from fault
        if number not in FORMATS:
            read = " and ".join(map(str, FORMATS))
            raise DamagedError(f"{NAME} has format {number}, this mlpack reads {read}: use a later mlpack")
        found = plain.pop("files")
        manifest = cls(plain, tuple(Entry(p, f["sha256"], f["size"]) for p, f in sorted(found.items())), number)
        if manifest.encode() != raw:
            raise DamagedError(f"{NAME} is not in canonical form: it was changed after the build")
        return manifest


def canonical(plain: Any) -> bytes:
    """The canonical form of JSON that is hashed: the only one that mlpack writes."""
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1, separators=(",", ": "))
    return text.encode() + b"\n"


def entry_of(folder: Path, path: Path, digest: str = "") -> Entry:
    """The entry of a file below `folder`; `digest`: its sha256 where it is known."""
    if not digest:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(path.relative_to(folder).as_posix(), digest, path.stat().st_size)


def paths_below(folder: Path) -> tuple[str, ...]:
    """The paths of all files and, with a slash at the end, of all folders below `folder`, sorted.

    A link or a special file is an error.
    """
    found = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DamagedError(f"{path} is a link or a special file: a bundle contains plain files only")
        found.append(path.relative_to(folder).as_posix() + ("/" if path.is_dir() else ""))
    return tuple(sorted(found))
