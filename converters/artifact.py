"""A model as files on disk: what every step from the converter to the bundle passes on.

Standard library only, Python 3.9 and later: this file runs in the model's own interpreter too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True)
class File:
    """One file of a model: `path` relative to the artifact's folder, `sha256` in hex, `size` in bytes.

    `modified`: when it had been written last as its digest was taken, in nanoseconds; 0: not known.
    """

    path: str
    sha256: str
    size: int
    modified: int = field(default=0, compare=False)


NONE: Mapping[str, File] = {}


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
    def of(
        cls, main: Path, others: Iterable[str] = (), format: str = "onnx", known: Mapping[str, File] = NONE
    ) -> Artifact:
        """The artifact of the file `main` and the files `others`, whose paths are relative to its folder.

        `known`: by path, files whose digests were taken already.
        """
        paths = (main.name, *sorted(others))
        files = tuple(known.get(path) or file_of(main.parent, path) for path in paths)
        return cls(main.parent, main.name, files, format)

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
        modified = os.fstat(stream.fileno()).st_mtime_ns
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
    return File(path, digest.hexdigest(), size, modified)
