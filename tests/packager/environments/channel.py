"""A conda channel made by hand: packages of a few files, in both kinds of archive; and what py-rattler makes of it."""

from __future__ import annotations

import asyncio
import bz2
import hashlib
import io
import json
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow

from mlpack_toolkit.packager.environments.conda.env import conda_platform

HERE = conda_platform(sysconfig.get_platform())
PLACEHOLDER = "/conda/placeholder_" + "p" * 60
"""Stands in a package's files for the folder that it gets installed into; an installer writes the real one."""
PYTHON = f'#!/bin/sh\nPYTHONPATH={PLACEHOLDER}/lib/python3.11/site-packages exec {sys.executable} "$@"\n'


def make_channel(folder: Path) -> Path:
    """A channel of four packages: a Python that is this one, a Python package, a library in two versions."""
    library = {"lib/libleaf.txt": b"2.1\n"}
    python = dict.fromkeys(("bin/python", "bin/python3.11"), PYTHON.encode())
    add(folder, HERE, "python", "3.11.7", python, ["libleaf"])
    add(folder, HERE, "libleaf", "2.0", library, kind=".tar.bz2")
    add(folder, HERE, "libleaf", "2.1", library, ["__glibc >=2.17"], kind=".tar.bz2")
    code = {"site-packages/leaves/__init__.py": b"def main():\n    print('three leaves')\n"}
    add(folder, "noarch", "leaves", "1.2", code, ["python >=3.9", "python <4", "libleaf 2.*"], noarch="python")
    index(folder)
    return folder


def add(
    channel: Path,
    subdir: str,
    name: str,
    version: str,
    files: Mapping[str, bytes],
    depends: Sequence[str] = (),
    noarch: str = "",
    kind: str = ".conda",
) -> Path:
    """The archive of a new package in the channel; a `noarch: python` one gets the command NAME, which calls `main`."""
    about: dict[str, Any] = {
        "name": name,
        "version": version,
        "build": "h0_0",
        "build_number": 0,
        "depends": list(depends),
        "subdir": subdir,
        "license": "MIT",
        "timestamp": 1_700_000_000_000,
        **({"noarch": noarch} if noarch else {}),
    }
    info = {"info/index.json": about, "info/about.json": {}, "info/paths.json": _paths(files)}
    if noarch == "python":
        entry = {"type": "python", "entry_points": [f"{name} = {name}:main"]}
        info["info/link.json"] = {"noarch": entry, "package_metadata_version": 1}
    encoded = {path: json.dumps(content).encode() for path, content in info.items()}
    encoded["info/files"] = "\n".join(files).encode()
    archive = channel / subdir / f"{name}-{version}-h0_0{kind}"
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(_pack(archive.name.removesuffix(kind), encoded, dict(files), kind))
    return archive


def _paths(files: Mapping[str, bytes]) -> dict[str, Any]:
    return {"paths_version": 1, "paths": [_path(name, content) for name, content in files.items()]}


def _path(name: str, content: bytes) -> dict[str, Any]:
    prefix = {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"} if PLACEHOLDER.encode() in content else {}
    digest = hashlib.sha256(content).hexdigest()
    return {"_path": name, "path_type": "hardlink", "sha256": digest, "size_in_bytes": len(content), **prefix}


def _pack(stem: str, info: dict[str, bytes], files: dict[str, bytes], kind: str) -> bytes:
    if kind == ".tar.bz2":
        return bz2.compress(_tar({**info, **files}))
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
        for part, content in (("pkg", files), ("info", info)):
            packed = pyarrow.compress(_tar(content), codec="zstd", asbytes=True)
            archive.writestr(f"{part}-{stem}.tar.zst", packed)
    return whole.getvalue()


def _tar(files: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def index(channel: Path) -> None:
    """Writes the channel's `repodata.json` files, as a publisher would."""
    from rattler.index import index_fs

    asyncio.run(index_fs(channel))


def solve(channel: Path, *specs: str) -> list[Any]:
    """The records that a solver chooses from the channel alone."""
    import rattler

    found: list[Any] = asyncio.run(
        rattler.solve(
            sources=[channel.as_uri() + "/"],
            specs=list(specs),
            platforms=[HERE, "noarch"],
            virtual_packages=rattler.VirtualPackage.detect(),
        )
    )
    return found


def install(channel: Path, prefix: Path, *specs: str) -> Path:
    """The environment that a user made from the channel."""
    import rattler

    cache = prefix.with_name("cache")
    asyncio.run(rattler.install(solve(channel, *specs), prefix, cache_dir=cache, show_progress=False))
    return prefix
