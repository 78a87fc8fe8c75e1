"""The archives that torch writes: zip files of one folder, nothing in them compressed.

torch reads them with a parser of its own, which asks the archive for a name and ignores its case. So everything on
which two parsers could disagree is refused here: compression, overlaps, bytes between and around, names alike.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .allowlist import Trust
from .machine import Machine, Trace
from .opcodes import run
from .reader import CHUNK, Reader
from .values import Fault
from .zips import check_members

PACKAGE, SCRIPT, PROGRAM, PICKLE = "torch.package", "torchscript", "pt2", "pickle"
DICTS = ("builtins.dict", "collections.OrderedDict")
"""What a state dict is; anything else that `torch.save` wrote is a module, or no model."""
LARGEST = 1 << 40
LARGEST_TEXT = 512 << 20
_LOCAL, _LOCAL_SIZE, _SLACK = b"PK\x03\x04", 30, 1 << 17
"""The start of a member, its fixed size, and the most bytes between two members: names and padding."""


@dataclass(frozen=True)
class Records:
    """The members of an open archive: sizes in bytes by path below its one folder, `root`."""

    archive: zipfile.ZipFile
    root: str
    sizes: Mapping[str, int]

    @property
    def kind(self) -> str:
        """What torch writes such members for; empty where torch did not write them."""
        names = self.sizes
        if ".data/extern_modules" in names or ".data/python_version" in names:
            return PACKAGE
        if "constants.pkl" in names or any(name.startswith("code/") for name in names):
            return SCRIPT
        if "archive_format" in names or "serialized_exported_program.json" in names:
            return PROGRAM
        return PICKLE if "data.pkl" in names else ""

    def read(self, name: str) -> bytes:
        """The bytes of a member that is text or a pickle."""
        if self.sizes.get(name, 0) > LARGEST_TEXT:
            raise Fault(f"its {name} is larger than {LARGEST_TEXT >> 20} MiB")
        with self.open(name) as member:
            return member.read()

    def open(self, name: str) -> IO[bytes]:
        """The member as a file."""
        if name not in self.sizes:
            raise Fault(f"it holds no {name}")
        return self.archive.open(f"{self.root}/{name}")

    def json(self, name: str) -> Any:
        """The value in a member that is JSON, in which no key is there twice."""
        try:
            return json.loads(self.read(name), object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            raise Fault(f"its {name} is not readable JSON ({error})") from error


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; raises `ValueError` for a key that is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


@contextmanager
def opened(source: Path | IO[bytes]) -> Iterator[Records | None]:
    """The records of an archive of torch; None for any other file. Raises `Fault` where two parsers may differ."""
    try:
        with zipfile.ZipFile(source) as archive:
            records = _records(archive)
            if records is not None and records.kind:
                check_members(archive, LARGEST)
                (_check_sizes if records.kind == SCRIPT else _check)(archive)
                yield records
            else:
                yield None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise Fault(f"its zip archive is damaged ({error})") from error


def _records(archive: zipfile.ZipFile) -> Records | None:
    members = [member for member in archive.infolist() if not member.is_dir()]
    roots = {member.filename.partition("/")[0] for member in members}
    inside = all("/" in member.filename for member in members)
    if len(roots) != 1 or not inside:
        return None
    root = roots.pop()
    return Records(archive, root, {m.filename[len(root) + 1 :]: m.file_size for m in members})


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """TorchScript alone compresses its source."""
    if sum(m.file_size for m in archive.infolist() if m.compress_size != m.file_size) > LARGEST_TEXT:
        raise Fault(f"its zip archive expands to more than {LARGEST_TEXT >> 20} MiB of text")


def _check(archive: zipfile.ZipFile) -> None:
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    if len({member.filename.casefold() for member in members}) != len(members):
        raise Fault("its zip archive holds two files whose names differ only in case")
    if archive.comment:
        raise Fault("its zip archive ends in a comment")
    end = 0
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise Fault("its zip archive is compressed, which torch never does: save the model again with torch")
        if not end <= member.header_offset <= end + _SLACK or (not end and member.header_offset):
            raise Fault("its zip archive holds something between its files, or files that overlap")
        end = member.header_offset + _LOCAL_SIZE + member.file_size
    for member in members:
        archive.open(member).close()  # raises BadZipFile where its own header names another file


class _Member:
    """A member as a source of bytes for a reader."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def skip(self, size: int) -> None:
        while size:
            data = self._file.read(min(size, CHUNK))
            if not data:
                raise Fault("it ends too early")
            size -= len(data)


def unpickled(records: Records, trust: Trust) -> tuple[Trace, Any]:
    """What the archive's pickle does, and the symbol of its value."""
    if records.sizes.get("byteorder") is not None and records.read("byteorder") != b"little":
        raise Fault("it was saved on a machine of another byte order: save it again on one like this")
    trace = Trace(trust, {n.removeprefix("data/"): s for n, s in records.sizes.items() if n.startswith("data/")})
    with records.open("data.pkl") as file:
        reader = Reader(_Member(file))
        value = run(Machine(reader, trace))
        if not reader.at_end():
            raise Fault("there is something behind the end of its pickle")
    return trace, value


def nested(content: bytes, trust: Trust) -> Trace | None:
    """What the pickle of an archive within an archive does; None where it is none of torch's pickles."""
    with opened(io.BytesIO(content)) as records:
        return unpickled(records, trust)[0] if records is not None and records.kind == PICKLE else None
