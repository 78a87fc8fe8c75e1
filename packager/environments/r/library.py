"""Finds the origin of installed R packages and archives each one reproducibly."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SECONDS = 120.0
PIECE = 1 << 20
_SYSTEM_LIBRARIES = ("/usr/lib/R/",)


@dataclass(frozen=True)
class Debian:
    """The Debian package of an R package. `sha256`: of its archive, from the suite's index; empty where the index does
    not list that version. `intact`: its files are unchanged."""

    package: str
    version: str
    sha256: str
    intact: bool

    def to_json(self) -> dict[str, Any]:
        return {"package": self.package, "version": self.version} | ({"sha256": self.sha256} if self.sha256 else {})


def debian_packages(folders: Mapping[str, Path]) -> dict[str, Debian]:
    """By R package, the Debian package that owns its folder, for those that Debian installed."""
    own = {name: folder for name, folder in folders.items() if str(folder).startswith(_SYSTEM_LIBRARIES)}
    if not own or shutil.which("dpkg-query") is None:
        return {}
    owners = dict(_owners([str(folder / "DESCRIPTION") for folder in own.values()]))
    named = {n: owners[str(f / "DESCRIPTION")] for n, f in own.items() if str(f / "DESCRIPTION") in owners}
    packages = sorted(set(named.values()))
    versions, digests, altered = _versions(packages), _digests(packages), _altered(packages)
    return {
        name: Debian(owner, versions[owner], digests.get((owner, versions[owner]), ""), owner not in altered)
        for name, owner in named.items()
        if owner in versions
    }


def _output(*command: str) -> str:
    """Standard output, also that of a tool that fails, as it fails when one name of many is unknown."""
    if shutil.which(command[0]) is None or len(command) < 3:
        return ""
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment).stdout


def _owners(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in _output("dpkg-query", "-S", *paths).splitlines():
        owner, _, path = line.partition(": ")
        yield path, owner.split(":")[0]


def _versions(packages: Sequence[str]) -> dict[str, str]:
    listing = _output("dpkg-query", "-W", "-f", "${Package}\t${Version}\n", *packages)
    return dict(line.split("\t") for line in listing.splitlines())


def _digests(packages: Sequence[str]) -> dict[tuple[str, str], str]:
    """By package and version, the sha256 of its archive in apt's indexes."""
    found = {}
    for stanza in _output("apt-cache", "show", *packages).split("\n\n"):
        fields = dict(re.findall(r"(?m)^(Package|Version|SHA256): (.*)$", stanza))
        if len(fields) == 3:
            found[fields["Package"], fields["Version"]] = fields["SHA256"]
    return found


def _altered(packages: Sequence[str]) -> set[str]:
    """Packages with a changed file."""
    return {package for package in packages if _output("dpkg", "--verify", package).strip()}


def write_archive(folder: Path, to: IO[bytes] | None) -> str:
    """The sha256 of an installed package's tar archive, which is written to `to` where given: sorted, without times,
    owners and compression, so that the same tree gives the same bytes anywhere. Omits links out of the package."""
    digest = hashlib.sha256()

    class Sink(io.RawIOBase):
        def write(self, data: Any, /) -> int:
            digest.update(data)
            if to is not None:
                to.write(data)
            return len(data)

    with tarfile.open(fileobj=Sink(), mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE) as archive:
        for path in [folder, *sorted(folder.rglob("*"))]:
            if not _leaves(path, folder):
                _add(archive, path, folder)
    return digest.hexdigest()


def _leaves(path: Path, folder: Path) -> bool:
    """Whether it is a link out of the package, as Debian's help pages share files between packages."""
    return path.is_symlink() and not path.resolve().is_relative_to(folder.resolve())


def _add(archive: tarfile.TarFile, path: Path, folder: Path) -> None:
    info = archive.gettarinfo(path, path.relative_to(folder.parent).as_posix())
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    executable = info.isdir() or info.mode & 0o100
    info.mode = 0o755 if executable else 0o644
    if info.isreg():
        with path.open("rb") as file:
            archive.addfile(info, file)
    elif info.isdir() or info.issym():
        archive.addfile(info)
