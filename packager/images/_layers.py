"""Writes an image layer as a deterministic tar, streamed and digested on the way."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import DamagedError


@dataclass(frozen=True)
class Link:
    """A symbolic link, to a path relative to its own folder or to the image's root."""

    target: str


@dataclass(frozen=True)
class Folder:
    """An empty folder, or one with a mode of its own."""

    mode: int = 0o755


Source = bytes | Path | Link | Folder
Tree = Mapping[str, Source]
"""By path in the image, without a leading slash: content, file to copy, link or folder."""


@dataclass(frozen=True)
class Layer:
    """A tar on disk. `digest`: its sha256 in hex; `size`: its bytes; `unpacked`: those of the files in it."""

    title: str
    path: Path
    digest: str
    size: int
    unpacked: int


class Digesting(io.RawIOBase):
    """Passes on writes and computes their sha256 and size."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Writes all the bytes and returns their number."""
        self._sha256.update(content)
        self.size += len(content)
        return self._file.write(content)

    @property
    def digest(self) -> str:
        """The sha256 so far, in hex."""
        return self._sha256.hexdigest()


def write_layer(title: str, tree: Tree, path: Path) -> Layer:
    """Writes the layer to `path`; raises `DamagedError` for a path or link that leads out of the image."""
    unpacked = 0
    whole = _with_parents(tree)
    with path.open("wb") as file:
        digesting = Digesting(file)
        with tarfile.open(fileobj=digesting, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(whole, key=lambda n: n.split("/")):
                unpacked += _add(archive, name, whole[name])
    return Layer(title, path, digesting.digest, digesting.size, unpacked)


def below(folder: Path, place: str) -> dict[str, Source]:
    """The files, links and folders below a folder, under `place`; raises `DamagedError` for a device or a socket."""
    found: dict[str, Source] = {}
    for path in folder.rglob("*"):
        inside = f"{place}/{path.relative_to(folder).as_posix()}".lstrip("/")
        found[inside] = _source(path)
    return found


def _source(path: Path) -> Source:
    if path.is_symlink():
        return Link(os.readlink(path))
    if path.is_dir():
        return Folder()
    if path.is_file():
        return path
    raise DamagedError(f"{path} is neither a file, a folder nor a link, so it cannot be put into an image")


def _with_parents(tree: Tree) -> dict[str, Source]:
    parents = {str(parent) for name in tree for parent in PurePosixPath(name).parents} - {".", "/"}
    whole: dict[str, Source] = {**dict.fromkeys(parents, Folder()), **tree}
    for name, source in whole.items():
        _check(name, source)
        if name in parents and not isinstance(source, Folder):
            raise DamagedError(f"{name} contains files and is not a folder")
    return whole


def _check(name: str, source: Source) -> None:
    parts = name.split("/")
    if not name or set(parts) & {"", ".", ".."} or "\0" in name:
        raise DamagedError(f"{name!r} is not a valid path in an image")
    if isinstance(source, Link):
        depth = 0 if source.target.startswith("/") else len(parts) - 1
        for part in filter(None, source.target.split("/")):
            depth += {"..": -1, ".": 0}.get(part, 1)
            if depth < 0:
                raise DamagedError(f"the link {name} leads out of the image: {source.target}")


def _add(archive: tarfile.TarFile, name: str, source: Source) -> int:
    """Adds the entry and returns the file's bytes. Times and owners are 0; modes are 644, or 755 for executables."""
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(source, Path):
        with source.open("rb") as file:
            found = os.fstat(file.fileno())
            entry.size = found.st_size
            entry.mode = 0o755 if found.st_mode & 0o111 else 0o644
            archive.addfile(entry, file)
    elif isinstance(source, bytes):
        entry.size = len(source)
        archive.addfile(entry, io.BytesIO(source))
    else:
        archive.addfile(_plain(entry, source))
    return entry.size


def _plain(entry: tarfile.TarInfo, source: Link | Folder) -> tarfile.TarInfo:
    if isinstance(source, Link):
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, source.target, 0o777
    else:
        entry.type, entry.mode = tarfile.DIRTYPE, source.mode
    return entry


def sorted_files(folder: Path) -> Iterator[Path]:
    """The files below a folder, in an order that does not depend on the file system."""
    yield from sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.relative_to(folder).parts)
