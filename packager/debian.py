"""Unpacks Debian packages of any suite into a folder, without installing them or changing the system."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import MissingToolError

SOURCES = Path("/etc/apt/sources.list.d")
TIMEOUT = 300


def unpacked(
    packages: Sequence[str], suite: str, scratch: Path, sources: Path = SOURCES, security: bool = False
) -> Path:
    """The folder `scratch/tree` with the packages' files, fetched by the system's apt with its keys.

    `security`: include fixes from Debian's security archive, where the system uses it.
    Raises `MissingToolError` where apt or dpkg is missing, or where apt does not serve the packages.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise MissingToolError(f"{tool} is not installed, so {packages[0]} of Debian {suite} cannot be fetched")
    source = debian_source(sources, suite) + (security_source(sources, suite) if security else "")
    for folder in ("sources", "lists/partial", "cache/archives/partial", "tree"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "sources" / "debian.sources").write_text(source, "utf-8")
    apt = (
        "apt-get", "-q", "-o", "Dir::Etc::sourcelist=-", "-o", f"Dir::Etc::sourceparts={scratch / 'sources'}",
        "-o", f"Dir::State::Lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch / 'cache'}",
        "-o", "Dir::State::status=/dev/null",  # else apt prefers the installed version
        "-o", "APT::Sandbox::User=root", "-o", "APT::Update::Post-Invoke=", "-o", "APT::Update::Post-Invoke-Success=",
    )  # fmt: skip
    what = f"{packages[0]} of Debian {suite}"
    _run((*apt, "update"), scratch, what)
    _run((*apt, "download", *packages), scratch, what)
    for package in sorted(scratch.glob("*.deb")):
        _run(("dpkg", "-x", str(package), str(scratch / "tree")), scratch, what)
    return scratch / "tree"


def debian_source(sources: Path, suite: str) -> str:
    """The system's source stanza for the Debian archive, with the suite replaced."""
    for stanza in _stanzas(sources):
        if _is_debian(stanza, "debian"):
            return _of_suite(stanza, suite)
    raise MissingToolError(f"Nothing in {sources} or beside it names the Debian archive, component main")


def security_source(sources: Path, suite: str) -> str:
    """The stanza for Debian's security archive, after an empty line; empty where the system does not use it."""
    found = [stanza for stanza in _stanzas(sources) if _is_debian(stanza, "debian-security")]
    return "\n" + _of_suite(found[0], f"{suite}-security") if found else ""


def _stanzas(sources: Path) -> Iterator[str]:
    for file in sorted(sources.glob("*.sources")):
        yield from re.split(r"\n\s*\n", file.read_text("utf-8"))
    yield from _one_line_sources(sources)


def _of_suite(stanza: str, suite: str) -> str:
    return re.sub(r"(?m)^Suites:.*$", f"Suites: {suite}", stanza.strip()) + "\n"


def _one_line_sources(sources: Path) -> Iterator[str]:
    """The entries of `sources.list` and `*.list`, the older form, as stanzas."""
    files = [sources.parent / "sources.list", *sorted(sources.glob("*.list"))]
    for file in filter(Path.is_file, files):
        entries = re.findall(r"(?m)^deb[ \t]+(?:\[(.*?)\][ \t]+)?(\S+)[ \t]+(\S+)[ \t]+(.+)$", file.read_text("utf-8"))
        for options, place, suite, components in entries:
            stanza = f"Types: deb\nURIs: {place}\nSuites: {suite}\nComponents: {components}\n"
            signed = re.search(r"signed-by=(\S+)", options)
            yield stanza + (f"Signed-By: {signed[1]}\n" if signed else "")


def _is_debian(stanza: str, archive: str) -> bool:
    """Whether the stanza is enabled and names that archive."""
    fields = dict(re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*)$", stanza))
    active = fields.get("Enabled", "yes").lower() != "no" and "deb" in fields.get("Types", "").split()
    suites, place = fields.get("Suites", ""), fields.get("URIs", "").rstrip("/")
    named = place.endswith(f"/{archive}") and bool(suites) and (archive == "debian") != ("-security" in suites)
    return active and named and "main" in fields.get("Components", "").split()


def _run(command: tuple[str, ...], folder: Path, what: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"{command[0]} did not end within {TIMEOUT} s while fetching {what}") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise MissingToolError(f"{command[0]} could not fetch {what}:\n{last}")
