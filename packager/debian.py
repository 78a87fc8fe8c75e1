"""Debian packages of any suite, unpacked into a folder: nothing of the system is installed or changed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import MissingToolError

SOURCES = Path("/etc/apt/sources.list.d")
TIMEOUT = 300


def unpacked(packages: Sequence[str], suite: str, scratch: Path, sources: Path = SOURCES) -> Path:
    """The folder `scratch/tree` with the files of the packages, fetched by the system's own apt and its keys.

    Raises `MissingToolError` where apt or dpkg is missing, or where apt does not serve the packages.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise MissingToolError(f"{tool} is not installed, so {packages[0]} of Debian {suite} cannot be fetched")
    source = debian_source(sources, suite)
    for folder in ("sources", "lists/partial", "cache/archives/partial", "tree"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "sources" / "debian.sources").write_text(source, "utf-8")
    apt = (
        "apt-get", "-q", "-o", "Dir::Etc::sourcelist=-", "-o", f"Dir::Etc::sourceparts={scratch / 'sources'}",
        "-o", f"Dir::State::Lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch / 'cache'}",
        "-o", "Dir::State::status=/dev/null",  # else apt prefers the version that the system has
        "-o", "APT::Sandbox::User=root", "-o", "APT::Update::Post-Invoke=", "-o", "APT::Update::Post-Invoke-Success=",
    )  # fmt: skip
    what = f"{packages[0]} of Debian {suite}"
    _run((*apt, "update"), scratch, what)
    _run((*apt, "download", *packages), scratch, what)
    for package in sorted(scratch.glob("*.deb")):
        _run(("dpkg", "-x", str(package), str(scratch / "tree")), scratch, what)
    return scratch / "tree"


def debian_source(sources: Path, suite: str) -> str:
    """The system's own source stanza for the Debian archive, with the suite replaced."""
    stanzas = [s for file in sorted(sources.glob("*.sources")) for s in re.split(r"\n\s*\n", file.read_text("utf-8"))]
    for stanza in [*stanzas, *_one_line_sources(sources)]:
        if _is_debian_archive(stanza):
            return re.sub(r"(?m)^Suites:.*$", f"Suites: {suite}", stanza.strip()) + "\n"
    raise MissingToolError(f"Nothing in {sources} or beside it names the Debian archive, component main")


def _one_line_sources(sources: Path) -> Iterator[str]:
    """The entries of `sources.list` and `*.list`, the older form, as stanzas."""
    files = [sources.parent / "sources.list", *sorted(sources.glob("*.list"))]
    for file in filter(Path.is_file, files):
        entries = re.findall(r"(?m)^deb[ \t]+(?:\[(.*?)\][ \t]+)?(\S+)[ \t]+(\S+)[ \t]+(.+)$", file.read_text("utf-8"))
        for options, place, suite, components in entries:
            stanza = f"Types: deb\nURIs: {place}\nSuites: {suite}\nComponents: {components}\n"
            signed = re.search(r"signed-by=(\S+)", options)
            yield stanza + (f"Signed-By: {signed[1]}\n" if signed else "")


def _is_debian_archive(stanza: str) -> bool:
    fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*)$", stanza))
    active = fields.get("Enabled", "yes").lower() != "no" and "deb" in fields.get("Types", "").split()
    archive = fields.get("URIs", "").rstrip("/").endswith("debian") and "-security" not in fields.get(
        "Suites", "-security"
    )
    return active and archive and "main" in fields.get("Components", "").split()


def _run(command: tuple[str, ...], folder: Path, what: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"{command[0]} did not end within {TIMEOUT} s while fetching {what}") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise MissingToolError(f"{command[0]} could not fetch {what}:\n{last}")
