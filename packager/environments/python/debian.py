"""Unpacks interpreters of earlier Debian releases into the cache, without root and without installing them."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

from ...cache import seal, whole
from ...debian import unpacked
from ...paths import kept

SUITES = {
    "3.9": ("bullseye", "2.31", ("python3-distutils", "libssl1.1", "libffi7", "libmpdec3")),
    "3.11": ("bookworm", "2.36", ("python3-distutils", "libssl3", "libffi8", "libmpdec3")),
    "3.13": ("trixie", "2.41", ("libssl3t64", "libffi8", "libmpdec4")),
}
"""By minor version: the suite that has it, the C library that it was built with, and its modules' packages."""
START = """#!/bin/bash
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
exec -a "$0" "{program}" "$@"
"""
"""Starts the program with its libraries, under the name of the call, by which Python finds its environment."""


def offers(minor: str) -> bool:
    """Whether a suite has the version and its programs run with this machine's C library."""
    name, have = platform.libc_ver()
    return minor in SUITES and name == "glibc" and _number(have) >= _number(SUITES[minor][1])


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def fetched(minor: str) -> Path:
    """The interpreter, from the cache or the Debian archive; `MissingToolError` where it cannot be fetched."""
    suite, _, libraries = SUITES[minor]
    place = kept() / "pythons" / suite
    program = place / "usr" / "bin" / f"python{minor}"
    if not whole(place):
        place.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            tree = unpacked((*_packages(minor), *libraries), suite, Path(scratch))
            _wrap(tree / "usr" / "bin" / f"python{minor}", program, place)
            seal(tree)
            tree.rename(place)
    return program


def _packages(minor: str) -> tuple[str, ...]:
    name = f"python{minor}"
    return (name, f"{name}-minimal", f"lib{name}-minimal", f"lib{name}-stdlib")


def _wrap(made: Path, later: Path, place: Path) -> None:
    """Replaces the program with the start script. `later`: the program's final path."""
    real = made.with_name(f"{made.name}.real")
    made.rename(real)
    libraries = ":".join(str(place / "usr" / "lib" / p.name) for p in made.parents[1].glob("lib/*-linux-gnu*"))
    made.write_text(START.format(libraries=libraries, program=later.with_name(real.name)))
    made.chmod(0o755)
