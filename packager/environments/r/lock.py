"""Locks the environment of an R model as renv does: R, its libraries, and the packages that `predict` needs.

`renv.lock` has renv's first layout, with three fields more: `Sha256` of the package's archive (its installed tree as a
tar, or its source), `Archive` where the bundle contains it, `Debian` where it came with a Debian package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...original.replies import odd
from ..recording import Recorded
from ..system import machine
from .library import Debian, debian_packages, write_archive
from .sources import fetch_source

LANGUAGE = "R"
FORMAT = 2
LOCK = "renv.lock"
ARCHIVES = "r-packages"
_BASE = "base"
UNKNOWN = "installed by R, which keeps no archive: only --vendor can restore it"
ALTERED = "its files differ from those of its Debian package"
Package = Mapping[str, Any]


@dataclass(frozen=True)
class Archive:
    """The archive of one package: its installed tree, or its source. `path`: its file, None where it was only
    digested."""

    sha256: str
    path: Path | None

    def to_json(self) -> dict[str, str]:
        return {"Sha256": self.sha256} | ({"Archive": f"{ARCHIVES}/{self.path.name}"} if self.path else {})


def recorded(told: Mapping[str, Any], vendor: bool, repository: str, scratch: Path) -> Recorded:
    """The environment from R's reply. With `vendor`, writes the archives into `scratch`: sources from the `repository`,
    where one is given and has them, else the installed trees."""
    packages = told["packages"]
    _check_folders(packages)
    own = [each for each in packages if each.get("Priority") != _BASE]
    debian = debian_packages({each["Package"]: Path(each["path"]) for each in packages})
    archives = {each["Package"]: _archive(each, vendor, repository, scratch / ARCHIVES) for each in own}
    files: dict[str, bytes | Path] = {
        f"{ARCHIVES}/{archive.path.name}": archive.path for archive in archives.values() if archive.path
    }
    document = _document(told, packages, debian)
    files["environment.json"] = _canonical(document)
    files[LOCK] = _lock(told, own, debian, archives)
    unproved = _unproved(own, debian)
    facts = {"vendored": vendor, "unproved": unproved, "lock": LOCK}
    settings = {"libraries_of_r": told["libraries"]}
    return Recorded(document, files, facts, settings)


def _check_folders(packages: Sequence[Package]) -> None:
    """Raises `ForgedError` where a folder is no installed R package of that name, as --vendor copies the folder."""
    for each in packages:
        place = Path(each["path"])
        try:
            lines = (place / "DESCRIPTION").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        if place.name != each["Package"] or f"Package: {each['Package']}" not in lines:
            raise odd(f"its reply to environment: {each['path']} is not the folder of the R package {each['Package']}")


def _canonical(plain: Any) -> bytes:
    from ...bundle.manifest import canonical

    return canonical(plain)


def _archive(package: Package, vendor: bool, repository: str, folder: Path) -> Archive:
    """A package's archive; with `vendor` written into `folder`."""
    name, version = str(package["Package"]), str(package["Version"])
    if not vendor:
        return Archive(write_archive(Path(package["path"]), None), None)
    source = fetch_source(repository, name, version, folder) if repository else None
    if source is not None:
        return Archive(hashlib.sha256(source.read_bytes()).hexdigest(), source)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}_{version}.tar"
    with place.open("wb") as file:
        return Archive(write_archive(Path(package["path"]), file), place)


def _document(told: Mapping[str, Any], packages: Sequence[Package], debian: Mapping[str, Debian]) -> dict[str, Any]:
    """`environment.json`: the interpreter, and the packages that the model needs as distributions."""
    return {
        "format": FORMAT,
        "language": LANGUAGE,
        "interpreter": {"implementation": LANGUAGE, **told["interpreter"]},
        "libc": machine()["libc"],
        "libraries": told["libraries"],
        "locale": told["locale"],
        "distributions": [_distribution(each, debian.get(each["Package"])) for each in packages],
    }


def _distribution(package: Package, debian: Debian | None) -> dict[str, Any]:
    origin = "base" if package.get("Priority") == _BASE else "debian" if debian else "library"
    facts = {
        "name": package["Package"],
        "version": package["Version"],
        "origin": origin,
        "licence": package.get("License", ""),
        "built": package.get("Built", ""),
        "repository": package.get("Repository", ""),
        "commit": package.get("RemoteSha", ""),
        "needed": True,
    }
    return {k: v for k, v in facts.items() if v != ""} | ({"debian": debian.to_json()} if debian else {})


def _lock(
    told: Mapping[str, Any],
    packages: Sequence[Package],
    debian: Mapping[str, Debian],
    archives: Mapping[str, Archive],
) -> bytes:
    """`renv.lock`, without a repository, as this machine's own is private."""
    records = {}
    for each in sorted(packages, key=lambda package: str(package["Package"])):
        name, version = str(each["Package"]), str(each["Version"])
        record: dict[str, Any] = {"Package": name, "Version": version, "Source": "Repository"}
        record |= {k: each[k] for k in ("Repository", "RemoteType", "RemoteUrl", "RemoteRef", "RemoteSha") if k in each}
        record["Requirements"] = _requirements(each)
        record |= archives[name].to_json()
        record |= {"Debian": debian[name].to_json()} if name in debian else {}
        records[name] = record
    interpreter = told["interpreter"]
    said = {"Version": interpreter["version"], "Platform": interpreter["platform"], "Repositories": []}
    lock = {"R": said, "Packages": records}
    return (json.dumps(lock, indent=2, ensure_ascii=False) + "\n").encode()


def _requirements(package: Package) -> list[str]:
    listed = ",".join(str(package.get(field, "")) for field in ("Depends", "Imports", "LinkingTo"))
    names = {part.split("(")[0].strip() for part in listed.replace("\n", " ").split(",")}
    return sorted(names - {"", "R"})


def _unproved(packages: Sequence[Package], debian: Mapping[str, Debian]) -> list[dict[str, str]]:
    """The packages whose origin only this machine can confirm."""
    found = []
    for each in packages:
        owner = debian.get(each["Package"])
        if owner is None or not owner.intact:
            why = UNKNOWN if owner is None else ALTERED
            found.append({"name": each["Package"], "version": each["Version"], "why": why})
    return found
