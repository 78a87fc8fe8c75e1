"""`python -m mlpack_toolkit.packager.setup_headers [--into DIR]`: prepares a folder that generated C++ projects find.

Fetches ONNX Runtime's C and C++ headers from a Debian package, and links the library of the Python wheel beside them.

The headers are of release 1.21: every newer library supports them, so one binary runs with all from 1.28 on.
apt is pointed at scratch folders: nothing of the system is installed or changed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from .cache import seal, whole
from .debian import SOURCES, unpacked
from .errors import MissingToolError, MlpackError, UsageError
from .paths import kept

PACKAGE = "libonnxruntime-dev"
SUITE = "trixie"
INSTEAD = (
    "Unpack the headers of any ONNX Runtime release >= 1.21 by hand and set the variable "
    "ONNXRUNTIME_INCLUDE_DIR to the folder that holds onnxruntime_cxx_api.h."
)


def cache_folder() -> Path:
    """The folder where the headers are kept for every later build; `runtimes/cpp/__init__.py` looks there too."""
    return kept() / "onnxruntime-headers"


def check_kept() -> None:
    """Fetches the headers in the cache again where they have changed."""
    include = cache_folder() / "include"
    if include.exists() and not whole(include):
        with suppress(MissingToolError):  # the project's own message says how to get them
            fetch_headers(cache_folder())


def fetch_headers(into: Path, sources: Path = SOURCES) -> Path:
    """The folder `into/include`, filled with the headers unless it is there already.

    Raises `MissingToolError` where apt or dpkg is missing, or where apt does not serve the package.
    """
    include = into / "include"
    if find_header(include) and (into != cache_folder() or whole(include)):
        return include
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".headers-") as scratch:
        try:
            unpacked((PACKAGE,), SUITE, Path(scratch), sources)
        except MissingToolError as error:
            raise MissingToolError(f"{error}. {INSTEAD}") from None
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


def _keep(scratch: Path, into: Path) -> None:
    """Moves headers and licence into place; the header folder last, as it marks the work as done."""
    header = find_header(scratch / "tree")
    if header is None:
        raise MissingToolError(f"{PACKAGE} of Debian {SUITE} holds no onnxruntime_cxx_api.h. {INSTEAD}")
    into.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(scratch / "tree" / "usr/share/doc" / PACKAGE / "copyright", into / "copyright")
    shutil.rmtree(into / "include", ignore_errors=True)
    seal(header.parent)
    header.parent.rename(into / "include")


def main(arguments: list[str] | None = None) -> int:
    """The exit code; prints the header folder and the library."""
    parser = argparse.ArgumentParser(prog="python -m mlpack_toolkit.packager.setup_headers", description=__doc__)
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
