"""Reads the user's own lock file (`--lock`) and compares it with the environment."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

from ...errors import UsageError
from ..python.markers import holds
from .pins import LOCAL, PROJECT, NotALock, Pin
from .readers import read_conda_lock, read_pylock, read_requirements
from .uv import reached, read_graph

__all__ = ["Difference", "GivenLock", "Pin", "differences", "read_lock"]

MOST_BYTES = 64 * 2**20
INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""Distributions that environments contain whether locked or not."""
MADE_BY = {
    "uv.lock": "uv lock",
    "pylock.toml": "uv pip compile --format pylock.toml",
    "requirements.txt": "uv pip compile --generate-hashes",
    "conda-lock.yml": "conda-lock lock",
}
READERS: Mapping[str, Callable[[str], Iterable[Pin]]] = {
    "uv.lock": lambda text: [node.pin for node in read_graph(text).nodes],
    "pylock.toml": read_pylock,
    "requirements.txt": read_requirements,
    "conda-lock.yml": read_conda_lock,
}


@dataclass(frozen=True)
class GivenLock:
    """A user's lock file. `raw` may contain logins: a bundle stores `public`."""

    kind: str
    pins: tuple[Pin, ...]
    raw: bytes

    @property
    def public(self) -> bytes:
        """The file without logins in addresses and, for requirements, without options such as indexes."""
        text = _text(self.raw)
        if self.kind == "requirements.txt":
            text = "".join(_without_options(text))
        return re.sub(r"(?<=://)[^/\s\"']*@(?=[\w\[])", "", text).encode()


@dataclass(frozen=True)
class Difference:
    """One difference between the environment and the lock.

    `kind`: "not installed", "other version", "not in the lock" or "altered". A `name` in brackets is no distribution:
    "[python]" and "[platform]" mean that the lock is for another Python or platform than the model's.
    """

    name: str
    kind: str
    locked: str
    installed: str


def read_lock(path: Path) -> GivenLock:
    """The pins of a file, whose kind is known by its name, else by its content."""
    raw = _bytes(path)
    try:
        text = _text(raw)
        kind = _kind(path, text)
    except UnicodeDecodeError:
        raise UsageError(f"--lock {path} is not a text file; give the lock itself") from None
    if kind is None:
        raise UsageError(f"--lock {path} is not a lock file that mlpack reads: {', '.join(sorted(MADE_BY))}")
    try:
        return GivenLock(kind, tuple(READERS[kind](text)), raw)
    except NotALock as error:
        reason = str(error)
    except tomllib.TOMLDecodeError as error:
        reason = f"it is not TOML ({str(error).splitlines()[0]})"
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        reason = "its layout is not that of such a file"
    raise UsageError(f"--lock {path} cannot be read as {kind}: {reason}; make it again with `{MADE_BY[kind]}`")


def _without_options(text: str) -> Iterator[str]:
    """The lines without options and comments that quote options; an indented `--hash` continues the line before."""
    first, kept = True, True
    for line in text.splitlines(keepends=True):
        comment = line.lstrip().startswith("#")
        if first:
            kept = not line.lstrip().startswith("-")
        if kept and not (comment and "--" in line):
            yield line
        first = comment or not line.rstrip("\r\n").endswith("\\")


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise UsageError(f"--lock {path} is not a file; give a lock file")
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--lock {path} cannot be read: {error.strerror}") from error
    if len(raw) > MOST_BYTES:
        raise UsageError(f"--lock {path} is larger than 64 MiB, so it is no lock file; give the lock itself")
    return raw


def _text(raw: bytes) -> str:
    """The text with plain line ends; Windows shells write UTF-16."""
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return raw.decode("utf-16" if wide else "utf-8-sig").replace("\r\n", "\n")


def _kind(path: Path, text: str) -> str | None:
    from packaging.pylock import is_valid_pylock_path

    name = path.name.lower()
    if name == "uv.lock":
        return name
    if is_valid_pylock_path(Path(name)):
        return "pylock.toml"
    if path.suffix.lower() in (".yml", ".yaml"):
        return "conda-lock.yml"
    if path.suffix.lower() in (".txt", ".in"):
        return "requirements.txt"
    return _kind_of_toml(text) if path.suffix.lower() in (".toml", ".lock") else None


def _kind_of_toml(text: str) -> str | None:
    """The kind of a file of another name (a script's `x.py.lock`, `lock.toml`); poetry's and cargo's lack some keys."""
    keys = set(re.findall(r"^([a-z-]+)\s*=", f"\n{text}".partition("\n[")[0], re.MULTILINE))
    if {"lock-version", "created-by"} <= keys:
        return "pylock.toml"
    return "uv.lock" if {"version", "requires-python"} <= keys else None


def differences(
    lock: GivenLock, distributions: Sequence[Mapping[str, Any]], markers: Mapping[str, str]
) -> tuple[Difference, ...]:
    """All differences between the installed `distributions` and the lock for these `markers`, sorted."""
    from packaging.utils import canonicalize_name

    installed: dict[str, Mapping[str, Any]] = {canonicalize_name(d["name"]): d for d in distributions}
    wanted = _by_name(_expected(lock, markers))
    named = _by_name(lock.pins)
    found = [*_fit(lock, markers), *_missing(wanted, installed, markers)]
    for name, each in installed.items():
        if name not in named:
            found += [] if name in INSTALLERS else [Difference(name, "not in the lock", "", _described(each))]
        elif all(pin.source != PROJECT for pin in named[name]):
            found += _changed(name, wanted.get(name) or named[name], each)
    return tuple(sorted(found, key=lambda d: (d.name, d.kind)))


def _expected(lock: GivenLock, markers: Mapping[str, str]) -> list[Pin]:
    """The pins that an install of the lock without options puts into an environment with these markers."""
    if lock.kind == "uv.lock":
        return [*reached(read_graph(_text(lock.raw)), markers)]
    groups = _toml(lock).get("default-groups", ())
    pins = (p for p in lock.pins if not p.optional and p.source != PROJECT)
    return [p for p in pins if holds(p.marker, markers, groups=groups)]


def _toml(lock: GivenLock) -> dict[str, Any]:
    return tomllib.loads(_text(lock.raw)) if lock.kind in ("uv.lock", "pylock.toml") else {}


def _by_name(pins: Iterable[Pin]) -> dict[str, list[Pin]]:
    found: dict[str, list[Pin]] = {}
    for pin in sorted(pins, key=lambda p: (p.name, str(p))):
        found.setdefault(pin.name, []).append(pin)
    return found


def _fit(lock: GivenLock, markers: Mapping[str, str]) -> Iterator[Difference]:
    """Differences of interpreter and platform."""
    from packaging.specifiers import SpecifierSet

    table = _toml(lock)
    version, asked = markers["python_full_version"].rstrip("+"), table.get("requires-python", "")
    if asked and not SpecifierSet(asked).contains(version, prereleases=True):
        yield Difference("[python]", "other version", asked, version)
    places = table.get("environments", table.get("supported-markers", ()))
    if lock.kind == "conda-lock.yml":
        places = sorted({pin.marker for pin in lock.pins})
    if places and not any(holds(place, markers) for place in places):
        here = f"{markers['sys_platform']} {markers['platform_machine']}"
        yield Difference("[platform]", "not in the lock", " or ".join(places), here)


def _missing(
    wanted: Mapping[str, Sequence[Pin]], installed: Mapping[str, Mapping[str, Any]], markers: Mapping[str, str]
) -> Iterator[Difference]:
    """Locked distributions that are not installed; conda's only when its own list (it has python) is there, as it also
    installs other packages than Python distributions."""
    known = "python" in installed
    for name, pins in wanted.items():
        conda = all(pin.manager == "conda" for pin in pins)
        if conda and name == "python" and not known:
            yield from _changed(name, pins, {"version": markers["python_full_version"]})
        elif name not in installed and (known or not conda):
            yield Difference(name, "not installed", _listed(pins), "")


def _changed(name: str, pins: Sequence[Pin], each: Mapping[str, Any]) -> list[Difference]:
    if not any(_matches(pin, each) for pin in pins):
        return [Difference(name, "other version", _listed(pins), _described(each))]
    altered = len(each.get("altered") or ())
    if not altered:
        return []
    files = "1 file" if altered == 1 else f"{altered} files"
    return [Difference(name, "altered", _listed(pins), f"{_described(each)}, {files} altered in place")]


def _matches(pin: Pin, each: Mapping[str, Any]) -> bool:
    origin = each.get("origin")
    if origin is not None and not _same_origin(pin, each, origin):
        return False
    return not pin.version or pin.source in LOCAL[1:] or _same_version(pin.version, each["version"])


def _same_origin(pin: Pin, each: Mapping[str, Any], origin: str) -> bool:
    """Whether the origin fits: a folder may be installed either way, an index's wheel may come from a disk."""
    if pin.source in ("directory", "editable"):
        return origin in ("directory", "editable")
    if pin.commit:
        return origin == "vcs" and each.get("commit") == pin.commit
    if pin.source:
        same = pin.source == "archive" or each.get("source") in ("", None, pin.source)
        return origin == "archive" and same
    return origin in ("index", "archive") or (origin == "conda" and pin.manager == "conda")


def _same_version(one: str, other: str) -> bool:
    """Whether the versions are equal, build numbers included: 2.1 and 2.1+cpu are different files."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _listed(pins: Iterable[Pin]) -> str:
    return " or ".join(sorted({str(pin) for pin in pins}))


def _described(each: Mapping[str, Any]) -> str:
    origin, commit = each.get("origin", ""), each.get("commit", "")
    if origin not in ("archive", "conda", "directory", "editable", "vcs"):
        return str(each["version"])
    return f"{each['version']} ({origin}{' ' + commit if commit else ''})"
