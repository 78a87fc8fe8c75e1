"""Checks each cache entry against the digests taken when it was made, before every use.

The cache is never the only source: a changed entry is removed and made again. Whoever can write to the cache as its
owner can also write the digests, just as they can change mlpack itself; `paths.kept` keeps out everybody else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

SEAL = ".mlpack-seal.json"
"""Name of the digest file: inside a folder; for a file, beside it, after the file's name."""


def write_whole(path: Path, content: bytes) -> None:
    """Writes the file completely or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    beside.write_bytes(content)
    beside.replace(path)


def seal(made: Path) -> None:
    """Records the digests of a file, or of everything below a folder."""
    write_whole(_seal(made), json.dumps(_digests(made)).encode())


def whole(place: Path) -> bool:
    """Whether the entry is there, unchanged since `seal`; removes a changed one, with a note on standard error."""
    if not place.exists():
        return False
    try:
        sealed = json.loads(_seal(place).read_bytes())
    except (OSError, ValueError):
        sealed = None
    found = _digests(place)
    if sealed == found or (isinstance(sealed, dict) and _without_compiled(place, sealed, found)):
        return True
    print(f"mlpack: note: {place} has changed since mlpack made it: mlpack makes it again", file=sys.stderr)
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
        _seal(place).unlink(missing_ok=True)
    return False


def remember(path: Path, plain: Any) -> None:
    """Writes a small value with its digest, for `remembered`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(plain).encode()
    write_whole(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def remembered(path: Path) -> Any:
    """The value that `remember` wrote; None where there is none, or where the file has changed."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
        return json.loads(content) if hashlib.sha256(content).hexdigest().encode() == digest else None
    except (OSError, ValueError):
        return None


def _seal(place: Path) -> Path:
    return place / SEAL if place.is_dir() else place.with_name(place.name + SEAL)


def _digests(place: Path) -> dict[str, str]:
    """By path: each file's digest and executable bit, each link's target, and each folder."""
    if not place.is_dir():
        return {"": _digest(place)}
    found = {}
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = Path(folder, name)
            found[path.relative_to(place).as_posix()] = _digest(path)
    found.pop(SEAL, None)
    return found


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    if not path.is_file():
        return "folder" if path.is_dir() else "special"
    with path.open("rb") as file:
        runs = "runs " if os.fstat(file.fileno()).st_mode & 0o100 else ""
        return runs + hashlib.file_digest(file, "sha256").hexdigest()


def _without_compiled(place: Path, sealed: dict[str, str], found: dict[str, str]) -> bool:
    """Removes bytecode that Python added to a folder after `seal`; whether the rest is unchanged."""
    extra = [path for path in found.keys() - sealed.keys() if "__pycache__" in path.split("/")]
    for path in extra:
        if found.pop(path) != "folder":
            (place / path).unlink()
    return found == sealed
