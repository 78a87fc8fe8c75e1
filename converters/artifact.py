"""A model as files on disk: what every step from the converter to the bundle passes on.

Standard library only, Python 3.9 and later: this file runs in the model's own interpreter too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True)
class File:
    """One file of a model: `path` relative to the artifact's folder, `sha256` in hex, `size` in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Artifact:
    """A model on disk.

    `folder`: where its files are. `main`: the file that a runtime opens. `files`: `main` first, then the external data
    that it refers to by relative path. `format`: `onnx`, or the format of an engine.
    """

    folder: Path
    main: str
    files: tuple[File, ...]
    format: str = "onnx"

    @classmethod
    def of(cls, main: Path, others: Iterable[str] = (), format: str = "onnx") -> Artifact:
        """The artifact of the file `main` and the files `others`, whose paths are relative to its folder."""
        paths = (main.name, *sorted(others))
        return cls(main.parent, main.name, tuple(file_of(main.parent, path) for path in paths), format)

    @property
    def path(self) -> Path:
        """The main file."""
        return self.folder / self.main

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def file_of(folder: Path, path: str) -> File:
    """The file at that relative path, read once, a block at a time."""
    digest, size = hashlib.sha256(), 0
    with (folder / path).open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
    return File(path, digest.hexdigest(), size)
