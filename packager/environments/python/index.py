"""Finds the package index's wheel of an installed distribution, proved by the RECORD inside the wheel."""

from __future__ import annotations

import hashlib
import io
import json
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...cache import remember, remembered
from ...paths import kept
from .pylock import PUBLIC
from .uv import listed, uv
from .wheels import SECONDS, Distribution, Wheel, record_of, wheel_of

TAIL = 2**18
"""Bytes at the end of a wheel that usually contain its RECORD."""
AT_ONCE = 8
UNREACHED = "the package index was not reachable: check the network"
"""Reasons go into the bundle, so they quote neither addresses nor other programs' messages."""

Found = dict[str, Wheel | str]
"""By distribution: its wheel, or the reason for there being none."""


def find(distributions: Sequence[Distribution], python: str) -> Found:
    """The index's wheel of each distribution, by version and tags. `python`: the interpreter's version, e.g. 3.11.7."""
    found: Found = {}
    asked = []
    for each in distributions:
        known = _never_on_an_index(each) or _remembered(each)
        if known:
            found[each["name"]] = known
        else:
            asked.append(each)
    if asked:
        offers = _offers([f"{each['name']}=={each['version']}" for each in asked], python)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda each: _chosen(each, offers), asked)
            found |= {each["name"]: answer for each, answer in zip(asked, answers, strict=True)}
    return found


def _never_on_an_index(each: Distribution) -> str:
    if each["origin"] == "editable":
        return "an editable install: its code is a folder that no digest covers"
    if each["origin"] == "conda":
        return "installed by conda"
    if each["origin"] != "index":
        return f"installed from {'a file' if each['origin'] == 'archive' else 'a ' + each['origin']}, not from an index"
    return "" if each["record"] else "it has no RECORD of its files: it was not installed from a wheel"


def _remembered(each: Distribution) -> Wheel | None:
    return wheel_of(remembered(_memory_of(each)))


def _memory_of(each: Distribution) -> Path:
    key = json.dumps([each["name"].lower(), each["version"], sorted(each["tags"])])
    return kept() / "index" / (hashlib.sha256(key.encode()).hexdigest() + ".memory")


def _offers(pins: Sequence[str], python: str) -> dict[str, Any]:
    """By canonical name, the index's files for the exact version, or the reason for there being none.

    A pin that the index lacks fails the whole query, so the query is halved until such pins are isolated.
    """
    import tomllib
    from packaging.utils import canonicalize_name

    names = [canonicalize_name(pin.partition("==")[0]) for pin in pins]
    done = uv(
        *("pip", "compile", "-", "--no-deps", "--universal", "--no-header", "--quiet", "--only-binary", ":all:"),
        *("--format", "pylock.toml", "--python-version", python),
        given=listed(pins),
    )
    if done.returncode == 0:
        packages = tomllib.loads(done.stdout)["packages"]
        return {package["name"]: package.get("wheels", []) for package in packages}
    if "No solution found" not in done.stderr or "network was disabled" in done.stderr:
        return dict.fromkeys(names, UNREACHED)
    if len(pins) == 1:
        return {names[0]: "the index has no wheel of this version (any more)"}
    middle = len(pins) // 2
    return _offers(pins[:middle], python) | _offers(pins[middle:], python)


def _chosen(each: Distribution, offers: Mapping[str, Any]) -> Wheel | str:
    """The wheel with the tags of the installed one, with its RECORD read."""
    from packaging.utils import canonicalize_name

    offered = offers.get(canonicalize_name(each["name"]), "the index did not answer for it")
    if isinstance(offered, str):
        return offered
    for wheel in offered:
        if _tags_of(_file_of(wheel)) == _tags(each["tags"]):
            return _read(each, wheel)
    return "the index has no wheel with the tags that are installed"


def _file_of(wheel: Mapping[str, Any]) -> str:
    from urllib.parse import unquote

    return str(wheel.get("name") or unquote(str(wheel["url"]).rpartition("/")[2]))


def _tags_of(file: str) -> frozenset[Any]:
    from packaging.utils import parse_wheel_filename

    return parse_wheel_filename(file)[3]


def _tags(lines: Iterable[str]) -> frozenset[Any]:
    from packaging.tags import parse_tag

    return frozenset(tag for line in lines for tag in parse_tag(line))


def _read(each: Distribution, offer: Mapping[str, Any]) -> Wheel | str:
    place = str(offer["url"])
    try:
        size, record = _remote_record(place)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return "the index has a wheel that could not be read"
    public = place if place.startswith(PUBLIC) else ""
    wheel = Wheel(_file_of(offer), str(offer["hashes"]["sha256"]), size, record, public, place)
    remember(_memory_of(each), asdict(wheel))
    return wheel


def _remote_record(url: str) -> tuple[int, str]:
    """The wheel's size and the digest of its RECORD, read from the end of the file, as far back as needed."""
    length = TAIL
    while True:
        size, tail = _tail(url, length)
        try:
            return size, record_of(_Tail(size, tail))
        except _Before as error:
            length = size - error.start


def _tail(url: str, length: int) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Range": f"bytes=-{length}"})
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        whole = response.headers.get("Content-Range", "").rpartition("/")[2]
        content = response.read()
    return int(whole or len(content)), content


class _Before(Exception):
    """Raised when the requested bytes precede the tail."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


class _Tail(io.RawIOBase):
    """Presents the end of a file as the whole file; raises `_Before` for a read before it."""

    def __init__(self, size: int, tail: bytes) -> None:
        self._size, self._tail, self._at = size, tail, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        start = self._at - (self._size - len(self._tail))
        if start < 0:
            raise _Before(self._at)
        content = self._tail[start:] if count < 0 else self._tail[start : start + count]
        self._at += len(content)
        return content
