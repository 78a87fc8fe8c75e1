"""mlpack's own operators for ONNX Runtime, as a library: compiled on this machine from mlpack's own sources.

A bundle names the library that its variant was proved with, by digest, and never holds it: native code comes from this
installation of mlpack and its user's compiler only.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.runtimes.server.manifest import LIBRARY, REFERENCE

from .cache import seal, whole
from .errors import DamagedError, MissingToolError
from .paths import kept

if TYPE_CHECKING:
    from .bundle.reader import Bundle

FOLDER = Path(__file__).parent.parent / "runtimes" / "kernels"
MAIN = "operator.cpp"
COMPILER = "c++"
SECONDS = 300
WORDS = 20
"""Lines of the compiler's output that an error message quotes."""
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti",
         "-fno-threadsafe-statics", "-fno-stack-protector", "-ffp-contract=off", "-s", "-static-libgcc",
         "-Wl,--as-needed", "-Wl,--build-id=none")  # fmt: skip
"""No C++ library at run time, so that the system's C library may be as old as glibc 2.16; no path in the file."""
SYSTEMS = {("Linux", "x86_64"), ("Linux", "aarch64")}
INSTALL = "apt install g++, or set CXX to another C++17 compiler"


@dataclass(frozen=True)
class Library:
    """The compiled operators."""

    path: Path
    sha256: str


def library() -> Library:
    """The operators, compiled unless they are kept already; raises `MissingToolError`."""
    return _library(os.environ.get("CXX") or COMPILER)


@cache
def _library(compiler: str) -> Library:
    place = kept() / "kernels" / f"libmlpack_trees-{_recipe(compiler)}.so"
    if not whole(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as scratch:
            _compile(compiler, Path(scratch) / place.name)
            seal(Path(scratch) / place.name)
            for made in sorted(Path(scratch).iterdir(), reverse=True):  # its seal first, which has a longer name
                made.replace(place.with_name(made.name))
    return Library(place, hashlib.sha256(place.read_bytes()).hexdigest())


def sources() -> dict[str, bytes]:
    """The sources by file name, sorted."""
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in (".h", ".cpp")}


def _recipe(compiler: str) -> str:
    """A digest of the sources, the compiler and its arguments."""
    system = platform.system(), platform.machine()
    if system not in SYSTEMS:
        raise MissingToolError(f"mlpack's operators are for Linux on x86-64 and aarch64, not for {' on '.join(system)}")
    if shutil.which(compiler) is None:
        raise MissingToolError(f"mlpack's operators are compiled here, and there is no {compiler}: {INSTALL}")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60).stdout
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sources().items()}
    return hashlib.sha256(json.dumps([version, system, FLAGS, digests]).encode()).hexdigest()[:16]


def _compile(compiler: str, out: Path) -> None:
    command = [compiler, *FLAGS, MAIN, "-o", str(out)]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise MissingToolError(f"mlpack's operators were not compiled within {SECONDS} s") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-WORDS:])
        raise MissingToolError(f"mlpack's operators cannot be compiled here ({INSTALL}). It said:\n{last}")


def library_of(variant: Variant) -> Path | None:
    """The library that a variant needs, None where it needs none. Raises `MissingToolError` where this mlpack makes
    another one than the variant was proved with."""
    if LIBRARY not in variant.recipe:
        return None
    wanted = variant.recipe[LIBRARY]
    if type(wanted) is not str:
        raise DamagedError(f"the variant {variant.name} does not name its library by a digest")
    own = library()
    if own.sha256 != wanted:
        raise MissingToolError(
            f"the variant {variant.name} was proved with the library sha256:{wanted[:64]}, and this mlpack and its "
            f"compiler make sha256:{own.sha256}: use the variant {REFERENCE}, or build the bundle again here"
        )
    return own.path


def preferred(bundle: Bundle) -> tuple[str, Path | None]:
    """The variant that answers unless one is named, and its library: one that mlpack's operators make faster, where
    they are here, else the reference and None."""
    for variant in bundle.variants[1:]:
        try:
            found = library_of(variant)
        except MissingToolError:
            continue
        if found is not None:
            return variant.name, found
    return REFERENCE, None
