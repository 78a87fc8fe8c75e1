"""The environment of an R model: R itself, its libraries, and the packages that `predict` needs, as renv locks them.

`renv.lock` has renv's first layout; what renv has no field for stands beside its own: `Sha256` of the package's archive
(its installed tree as a tar), `Archive` where the bundle holds it, `Debian` where it came with a Debian package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import FOLDER
from ._r_library import Debian, debian_packages, write_archive
from ._recording import Recorded
from .system import machine

LANGUAGE = "R"
FORMAT = 2
LOCK = f"{FOLDER}/renv.lock"
ARCHIVES = "r-packages"
_BASE = "base"
UNKNOWN = "installed by R, which keeps no archive: only --vendor can bring it back"
ALTERED = "its files are not as its Debian package has them"
Package = Mapping[str, Any]


def recorded(told: Mapping[str, Any], vendor: bool, scratch: Path) -> Recorded:
    """What there is, from what R told; with `vendor` their archives are written in `scratch`."""
    packages = told["packages"]
    own = [each for each in packages if each.get("Priority") != _BASE]
    debian = debian_packages({each["Package"]: Path(each["path"]) for each in own})
    files: dict[str, bytes | Path] = {}
    digests = {}
    for each in own:
        archive = f"{ARCHIVES}/{each['Package']}_{each['Version']}.tar"
        digests[each["Package"]] = _archived(each, scratch / archive if vendor else None)
        if vendor:
            files[f"{FOLDER}/{archive}"] = scratch / archive
    document = _document(told, packages, debian)
    files[f"{FOLDER}/environment.json"] = _canonical(document)
    files[LOCK] = _lock(told, own, debian, digests, vendor)
    unproved = _unproved(own, debian)
    facts = {"vendored": vendor, "unproved": unproved, "lock": Path(LOCK).name}
    settings = {"libraries_of_r": told["libraries"]}
    return Recorded(document, files, facts, settings)


def _canonical(plain: Any) -> bytes:
    from ..bundle.manifest import canonical

    return canonical(plain)


def _archived(package: Package, place: Path | None) -> str:
    """The sha256 of a package's archive, which is written to `place` where given."""
    if place is None:
        return write_archive(Path(package["path"]), None)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        return write_archive(Path(package["path"]), file)


def _document(told: Mapping[str, Any], packages: Sequence[Package], debian: Mapping[str, Debian]) -> dict[str, Any]:
    """`environment.json`: the interpreter, and as distributions the packages that the model needs."""
    return {
        "format": FORMAT,
        "language": LANGUAGE,
        "interpreter": {"implementation": LANGUAGE, **told["interpreter"]},
        "libc": machine()["libc"],
        "libraries": told["libraries"],
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
    digests: Mapping[str, str],
    vendor: bool,
) -> bytes:
    """`renv.lock`: no repository is named, for the one of this machine is nobody else's business."""
    records = {}
    for each in sorted(packages, key=lambda package: str(package["Package"])):
        name, version = str(each["Package"]), str(each["Version"])
        record: dict[str, Any] = {"Package": name, "Version": version, "Source": "Repository"}
        record |= {k: each[k] for k in ("Repository", "RemoteType", "RemoteUrl", "RemoteRef", "RemoteSha") if k in each}
        record["Requirements"] = _requirements(each)
        record["Sha256"] = digests[name]
        record |= {"Archive": f"{ARCHIVES}/{name}_{version}.tar"} if vendor else {}
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
    """What nobody but this machine can bear witness to."""
    found = []
    for each in packages:
        owner = debian.get(each["Package"])
        if owner is None or not owner.intact:
            why = UNKNOWN if owner is None else ALTERED
            found.append({"name": each["Package"], "version": each["Version"], "why": why})
    return found
