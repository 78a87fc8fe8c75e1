"""Collects the server's packages: the publishers' wheels of those installed with mlpack, unpacked and trimmed."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tomllib

from ..cache import SEAL, remember, remembered, seal, whole
from ..data.bombs import is_bomb
from ..environments.python.uv import last_words, listed, uv
from ..environments.python.wheels import Wheel, fetch, wheel_of
from ..errors import DamagedError, EnvironmentFault
from ..paths import kept
from ._layers import Source, below
from ._rootfs import Base

DROPPED = (
    "onnxruntime/tools/*", "onnxruntime/quantization/*", "onnxruntime/transformers/*", "onnxruntime/backend/*",
    "onnxruntime/datasets/*", "onnxruntime/capi/libonnxruntime.so.*", "numpy/f2py/*", "numpy/distutils/*",
    "numpy/_core/include/*", "numpy/*/lib/*.a", "numpy/*/lib/pkgconfig/*", "numpy/_pyinstaller/*",
    "numpy/_core/_simd.*.so", "numpy/_core/_*_tests.*.so", "*/tests/*",
    "*.pyx", "*.pxd", "*.pyi", "*.c", "*.h", "*/py.typed", "*.dist-info/RECORD",
)  # fmt: skip
"""By path below site-packages. ONNX Runtime's Python module contains the library once more."""
SCHEMES = ("purelib", "platlib")


def site(packages: Mapping[str, str], base: Base) -> Path:
    """A cached folder with the packages, compiled for the image. Raises `EnvironmentFault`."""
    wheels = pinned(packages, base)
    recipe = json.dumps([base.title, base.packages, [w.sha256 for w in wheels], DROPPED]).encode()
    place = kept() / "images" / f"site-{hashlib.sha256(recipe).hexdigest()[:16]}"
    if not whole(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            made = Path(scratch) / "made"
            for wheel in wheels:
                unzip(fetch(wheel, Path(scratch)), made)
            base.compile(made, f"/{base.place}")
            seal(made)
            if not place.is_dir():
                made.rename(place)
    return place


def pinned(packages: Mapping[str, str], base: Base) -> list[Wheel]:
    """The wheel of each exact version that runs in the image, with its sha256, by one query of the index."""
    pins = [f"{name}=={version}" for name, version in sorted(packages.items())]
    key = json.dumps([pins, base.python, base.wheels]).encode()
    memory = kept() / "images" / f"lock-{hashlib.sha256(key).hexdigest()[:16]}.memory"
    known = remembered(memory)
    held = [wheel_of(each) for each in known] if isinstance(known, list) else []
    if held and None not in held:
        return [each for each in held if each]
    wheels = [_wheel(package) for package in _asked(pins, base)]
    remember(memory, [asdict(wheel) for wheel in wheels])
    return wheels


def libraries(distribution: str, prefix: str, base: Base) -> dict[str, str]:
    """The dependencies of a distribution whose names begin so, with their newest versions that run in the image.

    They are remembered, so that the next image has the same.
    """
    key = json.dumps([distribution, prefix, base.python, base.wheels]).encode()
    memory = kept() / "images" / f"needs-{hashlib.sha256(key).hexdigest()[:16]}.memory"
    known = remembered(memory)
    if isinstance(known, dict) and known and all(isinstance(each, str) for each in (*known, *known.values())):
        return known
    asked = _asked([distribution], base, deep=True)
    found = {each["name"]: str(each["version"]) for each in asked if each["name"].startswith(prefix)}
    remember(memory, found)
    return found


def _asked(pins: list[str], base: Base, deep: bool = False) -> list[dict[str, Any]]:
    """`deep`: with all that they depend on."""
    how = (
        *(() if deep else ("--no-deps",)),
        "--no-header",
        "--quiet",
        "--only-binary",
        ":all:",
        "--format",
        "pylock.toml",
    )
    where = ("--python-version", base.python, "--python-platform", base.wheels)
    done = uv("pip", "compile", "-", *how, *where, given=listed(pins))
    if done.returncode:
        raise EnvironmentFault(f"the server's packages cannot be found on the index: {last_words(done)}")
    packages: list[dict[str, Any]] = tomllib.loads(done.stdout)["packages"]
    return packages


def _wheel(package: Mapping[str, Any]) -> Wheel:
    offers = package.get("wheels") or []
    if len(offers) != 1:
        raise EnvironmentFault(f"the index has no wheel of {package['name']} that runs in the image")
    offer = offers[0]
    file = str(offer.get("name") or unquote(str(offer["url"]).rpartition("/")[2]))
    return Wheel(file, str(offer["hashes"]["sha256"]), int(offer.get("size", 0)), "", place=str(offer["url"]))


def unzip(wheel: Path, site: Path) -> None:
    """Unpacks a wheel into a folder, trimmed, without an installer and the installer's files.

    Raises `DamagedError` for a file that leads out of the folder.
    """
    if is_bomb(wheel):
        raise DamagedError(f"{wheel.name} unpacks to far more than a wheel does")
    with zipfile.ZipFile(wheel) as archive:
        for entry, inside in _kept(archive):
            target = site / inside
            if not target.resolve().is_relative_to(site.resolve()) or stat.S_ISLNK(entry.external_attr >> 16):
                raise DamagedError(f"{wheel.name} contains {entry.filename!r}, which leads out of its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            target.chmod(0o755 if (entry.external_attr >> 16) & 0o111 else 0o644)


def added(packages: Mapping[str, str], base: Base) -> dict[str, Source]:
    """The packages' files by path in the image."""
    found = below(site(packages, base), base.place)
    found.pop(f"{base.place}/{SEAL}", None)
    return found


def _kept(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    for entry in archive.infolist():
        inside = _inside(entry.filename)
        if inside and not entry.is_dir() and not any(fnmatch(inside, pattern) for pattern in DROPPED):
            yield entry, inside


def _inside(name: str) -> str:
    """Its path below site-packages; empty for scripts, headers and data, which no server needs."""
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    scheme, _, inside = rest.partition("/")
    return inside if scheme in SCHEMES else ""
