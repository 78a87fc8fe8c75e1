"""Reads the pins of pylock.toml, requirements with hashes and conda-lock.yml; `uv.py` reads uv.lock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import tomllib

from .pins import PROJECT, NotALock, Pin, checkout, make_pin, public, stated_hash, stated_hashes, version_of_file

if TYPE_CHECKING:
    from packaging.pylock import Package
    from packaging.requirements import Requirement

STRONG = ("sha256:", "sha384:", "sha512:")
DEEPEST = 20
"""The most levels of a YAML file: a lock has 5, and the C parser overflows its stack only far above the limit."""


def read_pylock(text: str) -> list[Pin]:
    """Every package, with the hashes of all its files."""
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    try:
        lock = Pylock.from_dict(tomllib.loads(text))
    except PylockUnsupportedVersionError:
        raise NotALock("its lock-version is not 1.x, the only one that mlpack reads") from None
    except PylockValidationError as error:
        raise NotALock(f"it is not a valid PEP 751 lock ({str(error).splitlines()[0]})") from None
    return [_pylock_pin(package) for package in lock.packages]


def _pylock_pin(package: Package) -> Pin:
    files: list[Any] = [*(package.wheels or ()), *filter(None, (package.sdist, package.archive))]
    hashes = [h for file in files for h in stated_hashes(file.hashes, package.name)]
    source, named = _pylock_source(package), ""
    for file in files:
        named = named or version_of_file(file.url or file.path or getattr(file, "name", "") or "")
    version = str(package.version) if package.version else named
    return make_pin(package.name, version, hashes, marker=str(package.marker or ""), source=source)


def _pylock_source(package: Package) -> str:
    if package.vcs:
        return checkout(package.vcs.type, package.vcs.url or "", package.vcs.commit_id, package.name)
    if package.archive:
        return public(package.archive.url or "") or "archive"
    if package.directory:
        own = package.directory.path in (".", "./")
        return PROJECT if own else "editable" if package.directory.editable else "directory"
    return ""


def read_requirements(text: str) -> list[Pin]:
    """Every requirement; skips option lines (indexes, logins) and stores them nowhere."""
    pins = [_requirement(number, line) for number, line in _logical_lines(text) if not _is_option(number, line)]
    if not pins:
        raise NotALock("it pins nothing")
    return pins


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines joined over `\\` and without comments, in pip's order: a comment ends a continued line."""
    parts: list[str] = []
    first = 1
    for number, line in enumerate(text.splitlines(), 1):
        first = first if parts else number
        comment = re.match(r"\s*#", line)
        goes_on = line.endswith("\\") and not comment
        parts.append(" " + line if comment else line[:-1] if goes_on else line)
        if not goes_on:
            yield from _stripped(first, "".join(parts))
            parts = []
    yield from _stripped(first, "".join(parts))


def _stripped(number: int, line: str) -> Iterator[tuple[int, str]]:
    bare = re.sub(r"(^|\s)#.*$", "", line).strip()
    if bare:
        yield number, bare


def _is_option(number: int, line: str) -> bool:
    if re.match(r"-[rc]|--requirement|--constraint", line):
        raise NotALock(f"line {number} includes another file, and a lock is one file")
    if re.match(r"-e|--editable", line):
        raise NotALock(f"line {number} is an editable folder, which no hash can pin")
    return line.startswith("-")


def _requirement(number: int, line: str) -> Pin:
    from packaging.requirements import InvalidRequirement, Requirement

    stated, *options = re.split(r"\s(?=-)", line, maxsplit=1)
    try:
        asked = Requirement(stated.strip())
        if len(asked.name) > 200:
            raise InvalidRequirement
    except InvalidRequirement:
        raise NotALock(f"line {number} is not a requirement like name==1.0") from None
    given = re.findall(r"--hash(?:=|\s+)[\"']?([^\s\"']+)", options[0] if options else "")
    hashes = [stated_hash(h, f"line {number}") for h in [*given, *_hashes_of_address(asked.url or "")]]
    version, source = _place(number, asked)
    pin = make_pin(asked.name, version, hashes, marker=str(asked.marker or ""), source=source)
    if not pin.commit and not any(h.startswith(STRONG) for h in hashes):
        raise NotALock(f"line {number}, {asked.name}, has no --hash of sha256 or stronger")
    return pin


def _hashes_of_address(address: str) -> list[str]:
    fragment = address.partition("#")[2]
    return [f"{kind}:{digest}" for kind, digest in re.findall(r"(?:^|&)(sha\d+)=([^&]*)", fragment)]


def _place(number: int, asked: Requirement) -> tuple[str, str]:
    """The version, or the address, or both."""
    address = asked.url or ""
    vcs = re.match(r"(git|hg|bzr|svn)\+", address)
    if vcs:
        place, _, commit = address.partition("#")[0].rpartition("@")
        return "", checkout(vcs[1], place, commit, f"line {number}, {asked.name},")
    if address:
        return version_of_file(address), public(address) or "archive"
    pinned = list(asked.specifier)
    if len(pinned) != 1 or pinned[0].operator not in ("==", "===") or pinned[0].version.endswith(".*"):
        raise NotALock(f"line {number}, {asked.name}, is not pinned with == to one version")
    return pinned[0].version, ""


def read_conda_lock(text: str) -> list[Pin]:
    """Every package of every platform, conda's and pip's."""
    table = _yaml(text)
    if not isinstance(table, dict) or not isinstance(table.get("package"), list):
        raise NotALock("it has no list of packages")
    if table.get("version") != 1:
        raise NotALock(f"its format version is {table.get('version')!r} and mlpack reads 1")
    return [_conda_pin(row) for row in table["package"]]


def _conda_pin(row: Mapping[str, Any]) -> Pin:
    name, manager = row["name"], row["manager"]
    if manager not in ("conda", "pip"):
        raise NotALock(f"{name} has a manager that is neither conda nor pip")
    hashes = stated_hashes({k: v for k, v in row["hash"].items() if v is not None}, str(name))
    if not hashes:
        raise NotALock(f"{name} has no hash")
    optional = bool(row.get("optional")) or row.get("category", "main") != "main"
    return make_pin(name, row["version"], hashes, manager, marker=_platform(row["platform"]), optional=optional)


def _platform(name: str) -> str:
    """A conda platform as a marker."""
    if name == "noarch":
        return ""
    found = re.fullmatch(r"([a-z]+)-([a-z0-9_]+)", name)
    if not found:
        raise NotALock("it has a platform of another form than linux-64")
    system = {"osx": "darwin", "win": "win32"}.get(found[1], found[1])
    windows = {"64": "AMD64", "32": "x86", "arm64": "ARM64"}
    machine = (windows if system == "win32" else {"64": "x86_64", "32": "i686"}).get(found[2], found[2])
    return f"sys_platform == '{system}' and platform_machine == '{machine}'"


def _yaml(text: str) -> Any:
    """Parses plain data only, with the fast parser where there is one, after a check for input that would break it."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise NotALock(f"it is not plain YAML{place}") from None


def _check_events(events: Iterable[Any]) -> None:
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise NotALock("it is nested deeper than any lock")
        if isinstance(event, yaml.AliasEvent):
            raise NotALock("it uses YAML aliases, which no lock needs")
