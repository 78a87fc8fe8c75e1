"""R packages as they are installed: where each came from, and an archive of it that is the same wherever it is made."""

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
    """The Debian package that an R package came with. `sha256`: of its archive, as the suite's index has it; empty
    where the index does not list that version. `intact`: its files are as Debian made them."""

    package: str
    version: str
    sha256: str
    intact: bool

    def to_json(self) -> dict[str, Any]:
        return {"package": self.package, "version": self.version} | ({"sha256": self.sha256} if self.sha256 else {})


def debian_packages(folders: Mapping[str, Path]) -> dict[str, Debian]:
    """By R package, the Debian package that owns its folder; of those that Debian installed."""
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


def _said(*command: str) -> str:
    """Standard output; what a tool says while it fails counts too: it fails on one name of many."""
    if shutil.which(command[0]) is None or len(command) < 3:
        return ""
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment).stdout


def _owners(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in _said("dpkg-query", "-S", *paths).splitlines():
        owner, _, path = line.partition(": ")
        yield path, owner.split(":")[0]


def _versions(packages: Sequence[str]) -> dict[str, str]:
    told = _said("dpkg-query", "-W", "-f", "${Package}\t${Version}\n", *packages)
    return dict(line.split("\t") for line in told.splitlines())


def _digests(packages: Sequence[str]) -> dict[tuple[str, str], str]:
    """By package and version, the sha256 of its archive in the indexes that apt has."""
    found = {}
    for stanza in _said("apt-cache", "show", *packages).split("\n\n"):
        fields = dict(re.findall(r"(?m)^(Package|Version|SHA256): (.*)$", stanza))
        if len(fields) == 3:
            found[fields["Package"], fields["Version"]] = fields["SHA256"]
    return found


def _altered(packages: Sequence[str]) -> set[str]:
    """Packages of which a file is not as Debian made it."""
    return {package for package in packages if _said("dpkg", "--verify", package).strip()}


def write_archive(folder: Path, to: IO[bytes] | None) -> str:
    """The sha256 of the tar archive of an installed package, which goes to `to` where given: sorted, without times,
    owners and compression, so that the same tree makes the same bytes anywhere. Links out of the package stay out."""
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
    """Whether it is a link out of the package: Debian's pages of help share what they show with others'."""
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
