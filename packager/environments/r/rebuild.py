"""Rebuilds an R library from a bundle's lock; checks every archive's sha256 before R reads it."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import zlib
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack_toolkit.runtimes.engine.schema import Fault, parse

from ...archives import extract_all
from ...bundle.schema import check_documents
from ...data.bombs import check_tar
from ...errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from ...paths import beside, program
from ..python.rebuild import Interpreter
from .library import write_archive

LIBRARY = "library"
SECONDS = 60.0
COMPILE_SECONDS = 1800.0
SOURCE = ".tar.gz"
_ASK = 'cat(as.character(getRversion()), R.version$platform, .libPaths(), sep = "\\n")'
_STUB = """#!/bin/sh
# Runs R with only the packages of this folder and R's own.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
R_LIBS="$here/library" R_LIBS_SITE="$here/library" R_LIBS_USER="$here/library" exec {rscript} "$@"
"""


def rebuild_r(folder: Path, wanted: Mapping[str, Any], into: Path, rscript: str | None) -> Interpreter:
    """Makes the library at `into`, completely or not at all, without the network; returns its `Rscript`."""
    if into.exists():
        raise UsageError(f"{into} exists already: give another folder, or remove it")
    found = _find(wanted["interpreter"], rscript)
    records = _records(folder)
    into.absolute().parent.mkdir(parents=True, exist_ok=True)
    with beside(into.absolute()) as scratch:
        (scratch / "made" / LIBRARY).mkdir(parents=True)
        for name in _in_order(records):
            _install(name, records[name], folder, found, scratch / "made" / LIBRARY)
        stub = scratch / "made" / "Rscript"
        stub.write_text(_STUB.format(rscript=shlex.quote(found.path)), "utf-8")
        stub.chmod(0o755)
        (scratch / "made").rename(into)
    exact = found.version == wanted["interpreter"]["version"]
    return Interpreter("", found.version, exact, str(into.absolute() / "Rscript"), len(records))


def _records(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The packages of the lock, by name; `DamagedError` for anything else."""
    path = "renv.lock"
    try:
        plain = parse((folder / path).read_bytes())
        check_documents(path, plain)
    except (OSError, Fault) as error:
        raise DamagedError(f"{path} cannot be read as a lock of R packages: {error}") from error
    records: Mapping[str, Mapping[str, Any]] = plain["Packages"]
    return records


class _Found:
    """An installed R."""

    def __init__(self, path: str) -> None:
        self.path = path
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                [path, "--vanilla", "-e", _ASK], capture_output=True, text=True, timeout=SECONDS, env=environment
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MissingToolError(f"{path} cannot be started: {error}") from error
        lines = done.stdout.splitlines()
        if done.returncode or len(lines) < 3:
            raise MissingToolError(f"{path} does not run as Rscript: {(done.stderr.splitlines() or ['silent'])[-1]}")
        self.version, self.platform, *libraries = lines
        self.libraries = [Path(library) for library in libraries]

    @property
    def r(self) -> list[str]:
        """The program beside it that runs R's commands (`R CMD`)."""
        return [str(Path(shutil.which(self.path) or self.path).with_name("R"))]


def _find(wanted: Mapping[str, Any], given: str | None) -> _Found:
    """R of the same minor version and platform, as installed packages run in no other."""
    home = os.environ.get("R_HOME", "")
    path = program(given) if given else os.path.join(home, "bin", "Rscript") if home else shutil.which("Rscript")
    if not path:
        raise EnvironmentFault(f"there is no R here: install R {wanted['version']}, or give its Rscript with --rscript")
    found = _Found(path)
    minor = str(wanted["version"]).rpartition(".")[0]
    if found.version.rpartition(".")[0] != minor or found.platform != wanted["platform"]:
        raise EnvironmentFault(
            f"{path} is R {found.version} for {found.platform}, and the packages were made for R {minor} on "
            f"{wanted['platform']}: install R {wanted['version']}, or give its Rscript with --rscript"
        )
    return found


def _in_order(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The packages in order of dependency, as a source is installed against the packages that it needs."""
    from graphlib import CycleError, TopologicalSorter

    strange = [name for name in records if not re.fullmatch(r"[A-Za-z][A-Za-z0-9.]*", name)]
    if strange:
        raise DamagedError(f"renv.lock names {strange[0]!r}, which is not a package name")
    needs = {name: [n for n in record.get("Requirements", ()) if n in records] for name, record in records.items()}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise DamagedError(f"renv.lock has packages that need each other: {error.args[1]}") from error


def _install(name: str, record: Mapping[str, Any], folder: Path, found: _Found, into: Path) -> None:
    """Installs the package's tree from the bundle, else from this machine where the same one is installed."""
    if "Archive" in record:
        archive = _checked(folder / _inside(record["Archive"]), record.get("Sha256", ""))
        if archive.name.endswith(SOURCE):
            _compile(archive, found, into)
        else:
            _unpack(archive, name, into)
        return
    for library in found.libraries:
        if (library / name / "DESCRIPTION").is_file() and write_archive(library / name, None) == record.get("Sha256"):
            shutil.copytree(library / name, into / name, symlinks=True)
            return
    debian = record.get("Debian", {})
    hint = f", or install Debian's {debian['package']}={debian['version']}" if debian else ""
    raise EnvironmentFault(
        f"the bundle does not contain R's package {name} {record['Version']}, and this machine has no copy with the "
        f"same files: build the bundle again with --vendor{hint}"
    )


def _inside(archive: str) -> str:
    if Path(archive).parent.name != "r-packages" or len(Path(archive).parts) != 2:
        raise DamagedError(f"renv.lock names an archive outside of the bundle: {archive}")
    return archive


def _compile(archive: Path, found: _Found, into: Path) -> None:
    """Installs a source with R's own tools, against the packages installed so far."""
    try:
        with tarfile.open(archive) as members:
            deque(check_tar(members), maxlen=0)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DamagedError(f"{archive.name} is not an installable R source package: {error}") from error
    command = [*found.r, "CMD", "INSTALL", "--no-docs", "--no-test-load", f"--library={into}", str(archive)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "R_LIBS": str(into), "R_LIBS_USER": str(into)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS, env=environment)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFault(f"{archive.name} was not installed within {COMPILE_SECONDS:g} s") from error
    if done.returncode:
        last = " / ".join(done.stderr.strip().splitlines()[-3:])
        raise EnvironmentFault(f"R cannot install {archive.name}: {last}")


def _checked(archive: Path, sha256: str) -> Path:
    """The archive; `DamagedError` unless it is the one that the lock names."""
    if not archive.is_file():
        raise DamagedError(f"the bundle lacks {archive.name}, which renv.lock names")
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise DamagedError(f"{archive.name} is not the archive that renv.lock names: its sha256 differs")
    return archive


def _unpack(archive: Path, name: str, into: Path) -> None:
    """Unpacks the archive; `DamagedError` unless it contains only that package."""
    try:
        with tarfile.open(archive, "r:") as members:  # uncompressed: it cannot hold more than its own size
            strange = [m.name for m in members if Path(m.name).parts[:1] != (name,)]
            if strange:
                raise DamagedError(f"{archive.name} contains {strange[0]}, which is not part of {name}")
            if sum(m.size for m in members) > archive.stat().st_size:
                raise DamagedError(f"{archive.name} claims more content than its own size")
            extract_all(members, into)
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise DamagedError(f"{archive.name} contains a file that does not belong in a library: {error}") from error
