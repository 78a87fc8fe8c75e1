"""`python -m packager.setup_headers [--into DIR]`: what generated C++ projects find by themselves.

ONNX Runtime's C and C++ headers, from a Debian package, and beside them a link to the library of Python's wheel.

The headers are those of release 1.21: every newer library serves them, so one binary runs on all of them.
apt is pointed at scratch folders: nothing of the system is installed or changed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from .errors import MissingToolError, MlpackError, UsageError

PACKAGE = "libonnxruntime-dev"
SUITE = "trixie"
SOURCES = Path("/etc/apt/sources.list.d")
INSTEAD = (
    "Unpack the headers of any ONNX Runtime release >= 1.21 by hand and set the variable "
    "ONNXRUNTIME_INCLUDE_DIR to the folder that holds onnxruntime_cxx_api.h."
)
TIMEOUT = 300


def cache_folder() -> Path:
    """The folder where the headers are kept for every later build; `runtimes/cpp.py` looks there too."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mlpack" / "onnxruntime-headers"


def fetch_headers(into: Path, sources: Path = SOURCES) -> Path:
    """The folder `into/include`, filled with the headers unless it is there already.

    Raises `MissingToolError` where apt or dpkg is missing, or where apt does not serve the package.
    """
    include = into / "include"
    if find_header(include):
        return include
    _require("apt-get")
    _require("dpkg")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".headers-") as scratch:
        package = _download(Path(scratch), _debian_source(sources))
        _unpack(package, Path(scratch) / "tree")
        _keep(Path(scratch), into)
    return include


def link_library(into: Path) -> Path | None:
    """The link `into/lib/libonnxruntime.so` to the library of the installed wheel; None where there is no wheel."""
    package = find_spec("onnxruntime")
    folders = package.submodule_search_locations if package else None
    found = [path for folder in folders or () for path in Path(folder, "capi").glob("libonnxruntime.so.*")]
    if not found:
        return None
    link = into / "lib" / "libonnxruntime.so"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(min(found))
    return link


def find_header(include: Path) -> Path | None:
    """The C++ header below `include`, or None."""
    return min(include.rglob("onnxruntime_cxx_api.h"), default=None) if include.is_dir() else None


def _require(tool: str) -> None:
    if shutil.which(tool) is None:
        raise MissingToolError(f"{tool} is not installed, so the Debian package {PACKAGE} cannot be fetched. {INSTEAD}")


def _debian_source(sources: Path) -> str:
    """The system's own source stanza for the Debian archive, with the suite replaced."""
    stanzas = [s for file in sorted(sources.glob("*.sources")) for s in re.split(r"\n\s*\n", file.read_text("utf-8"))]
    for stanza in [*stanzas, *_one_line_sources(sources)]:
        if _is_debian_archive(stanza):
            return re.sub(r"(?m)^Suites:.*$", f"Suites: {SUITE}", stanza.strip()) + "\n"
    raise MissingToolError(f"Nothing in {sources} or beside it names the Debian archive, component main. {INSTEAD}")


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


def _download(scratch: Path, source: str) -> Path:
    """The package file, fetched by an apt whose lists, caches and sources all lie in `scratch`."""
    for folder in ("sources", "lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "sources" / "debian.sources").write_text(source, "utf-8")
    apt = (
        "apt-get", "-q", "-o", "Dir::Etc::sourcelist=-", "-o", f"Dir::Etc::sourceparts={scratch / 'sources'}",
        "-o", f"Dir::State::Lists={scratch / 'lists'}", "-o", f"Dir::Cache={scratch / 'cache'}",
        "-o", "APT::Sandbox::User=root", "-o", "APT::Update::Post-Invoke=", "-o", "APT::Update::Post-Invoke-Success=",
    )  # fmt: skip
    _run((*apt, "update"), scratch)
    _run((*apt, "download", PACKAGE), scratch)
    return min(scratch.glob(f"{PACKAGE}_*.deb"))


def _unpack(package: Path, tree: Path) -> None:
    _run(("dpkg", "-x", str(package), str(tree)), package.parent)


def _run(command: tuple[str, ...], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise MissingToolError(
            f"{command[0]} did not end within {TIMEOUT} s while fetching {PACKAGE}. {INSTEAD}"
        ) from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        raise MissingToolError(f"{command[0]} could not fetch {PACKAGE} of Debian {SUITE}:\n{last}\n{INSTEAD}")


def _keep(scratch: Path, into: Path) -> None:
    """Moves headers and licence into place; the header folder last, as it is what marks the work as done."""
    header = find_header(scratch / "tree")
    if header is None:
        raise MissingToolError(f"{PACKAGE} of Debian {SUITE} holds no onnxruntime_cxx_api.h. {INSTEAD}")
    into.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scratch / "tree" / "usr/share/doc" / PACKAGE / "copyright", into / "copyright")
    shutil.rmtree(into / "include", ignore_errors=True)
    header.parent.rename(into / "include")


def main(arguments: list[str] | None = None) -> int:
    """The exit code; prints the header folder and the library."""
    parser = argparse.ArgumentParser(prog="python -m packager.setup_headers", description=__doc__)
    parser.add_argument("--into", type=Path, default=cache_folder(), help="the folder to fill (default: %(default)s)")
    into = parser.parse_args(arguments).into
    try:
        print(fetch_headers(into.absolute()))
        print(link_library(into.absolute()) or "no library: pip install onnxruntime, and call this again")
    except MlpackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {into} cannot be filled: {error}", file=sys.stderr)
        return UsageError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
