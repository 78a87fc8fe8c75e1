"""Fetches the wheels of installed distributions, or rebuilds them from the installed files; digests their RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import shutil
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...cache import write_whole
from ...errors import DamagedError, EnvironmentFault
from ...paths import kept
from .probe import generated, record_digest
from .uv import last_words, uv

SECONDS = 60.0
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*\.whl")
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_RECORD = 64 << 20
MOST_BYTES = 4 << 30
"""The largest wheel that is fetched."""

Distribution = Mapping[str, Any]


@dataclass(frozen=True)
class Wheel:
    """A wheel file. `url`: its public address, else empty; `place`: the address it is fetched from; `record`: digest of
    its RECORD, as in `environment.json`; `made`: empty for the publisher's file, else `rebuilt` or `built` here."""

    file: str
    sha256: str
    size: int
    record: str
    url: str = ""
    place: str = ""
    made: str = ""


def wheel_of(plain: Any) -> Wheel | None:
    """The wheel that a cache entry describes; None where it describes none."""
    try:
        wheel = Wheel(**plain)
    except TypeError:
        return None
    texts = (wheel.file, wheel.sha256, wheel.record, wheel.url, wheel.place, wheel.made)
    fits = all(isinstance(each, str) for each in texts) and isinstance(wheel.size, int)
    return wheel if fits and FILE.fullmatch(wheel.file) and SHA256.fullmatch(wheel.sha256) else None


def record_of(wheel: Any) -> str:
    """The digest of a wheel's RECORD, over the rows that an install keeps. `wheel`: a path or a file."""
    with zipfile.ZipFile(wheel) as archive:
        name = next((n for n in archive.namelist() if n.endswith(".dist-info/RECORD") and n.count("/") == 1), None)
        if name is None:
            raise ValueError("it holds no RECORD")
        if archive.getinfo(name).file_size > MOST_RECORD:
            raise ValueError(f"its RECORD has more than {MOST_RECORD} bytes")
        rows = list(csv.reader(archive.read(name).decode().splitlines()))
    return record_digest((_installed(row[0]), row[1]) for row in rows if len(row) == 3 and row[1])


def _installed(path: str) -> str:
    """The file's path below site-packages; `../` and its name where it is installed elsewhere."""
    first, _, rest = path.partition("/")
    if not first.endswith(".data"):
        return path
    scheme, _, inside = rest.partition("/")
    return inside if scheme in ("purelib", "platlib") else f"../{inside}"


def fetch(wheel: Wheel, folder: Path) -> Path:
    """Fetches the wheel into the folder and checks its sha256."""
    held = kept() / "wheels" / wheel.sha256
    if not (held.is_file() and hashlib.sha256(held.read_bytes()).hexdigest() == wheel.sha256):
        held.parent.mkdir(exist_ok=True)
        write_whole(held, _downloaded(wheel))
    return Path(shutil.copyfile(held, folder / wheel.file))


def _downloaded(wheel: Wheel) -> bytes:
    try:
        with urllib.request.urlopen(wheel.place, timeout=SECONDS) as response:
            content: bytes = response.read(wheel.size + 1 if wheel.size else MOST_BYTES)
    except OSError as error:
        raise EnvironmentFault(f"{wheel.file} cannot be fetched from the index: {error}") from error
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise DamagedError(f"{wheel.file} from the index is not the file that the index named: its sha256 differs")
    return content


def rebuilt(each: Distribution, place: Path, folder: Path) -> Wheel:
    """Rebuilds a wheel from the installed files, deterministically; it contains the publisher's files."""
    record = next(p for p in place.glob("*.dist-info/RECORD") if _is_of(p.parent, each))
    about = record.parent.name
    stem = about.removesuffix(".dist-info")
    rows = [row[0] for row in csv.reader(record.read_text("utf-8").splitlines()) if row]
    path = folder / f"{stem}-{_joined(each['tags'])}.whl"
    lines = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(rows):
            inside = _inside(name, stem)
            if inside and not generated(inside) and (place / name).is_file():
                content = (place / name).read_bytes()
                _put(archive, inside, content, os.access(place / name, os.X_OK))
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                lines.append(f"{_quoted(inside)},sha256={digest},{len(content)}\n")
        _put(archive, f"{about}/RECORD", "".join([*lines, f"{about}/RECORD,,\n"]).encode(), False)
    return of_file(path, "rebuilt")


def _is_of(about: Path, each: Distribution) -> bool:
    from packaging.utils import canonicalize_name

    name, _, version = about.name.removesuffix(".dist-info").rpartition("-")
    return canonicalize_name(name) == canonicalize_name(each["name"]) and version.replace("_", "-") in (
        each["version"],
        each["version"].replace("_", "-"),
    )


def _joined(tags: Sequence[str]) -> str:
    """The tags as in a file name: `py2.py3-none-any`."""
    parts = [tag.split("-") for tag in tags]
    return "-".join(".".join(dict.fromkeys(part[i] for part in parts)) for i in range(3))


def _inside(name: str, stem: str) -> str:
    """Its path in the wheel; empty for files that the installer makes: bytecode and scripts."""
    if name.endswith(".pyc") or (name.startswith("../") and "/bin/" in name):
        return ""
    return f"{stem}.data/data/{name.lstrip('./')}" if name.startswith("../") else name


def _quoted(path: str) -> str:
    return f'"{path}"' if "," in path else path


def _put(archive: zipfile.ZipFile, name: str, content: bytes, runs: bool) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = (0o100755 if runs else 0o100644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def of_file(path: Path, made: str) -> Wheel:
    """Describes a wheel on disk."""
    content = path.read_bytes()
    return Wheel(path.name, hashlib.sha256(content).hexdigest(), len(content), record_of(path), made=made)


def built(each: Distribution, source: Path, folder: Path) -> Wheel:
    """A wheel built from the folder of an editable install, by its own build system."""
    before = set(folder.iterdir())
    done = uv("build", "--wheel", "--out-dir", folder, source)
    made = [path for path in set(folder.iterdir()) - before if path.suffix == ".whl"]
    if done.returncode or len(made) != 1:
        raise EnvironmentFault(f"{each['name']} is editable and cannot be built into a wheel: {last_words(done)}")
    return of_file(made[0], "built")
