"""Fetches a base image from a registry by digest with skopeo, unpacks it and finds its Python."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..archives import TAR, extract
from ..errors import DamagedError, EnvironmentFault, MissingToolError, UsageError
from ._layers import Layer
from ._rootfs import LEAST, Base, architecture, glibc, loader, remove, run, triplet

SKOPEO = "skopeo is not installed, so no base can be fetched: apt-get install skopeo, or leave --base at debian"
HOMES = ("usr/local", "usr")
OPAQUE, GONE = ".wh..wh..opq", ".wh."
"""The markers with which a layer hides a folder's content, or one file, of the layers below."""
WHERE = "import site; print(site.getsitepackages()[0])"


def pulled(reference: str, scratch: Path) -> Base:
    """The base with that digest; raises `MissingToolError`, `EnvironmentFault`, `UsageError` for one without Python."""
    if shutil.which("skopeo") is None:
        raise MissingToolError(SKOPEO)
    fetched, tree = scratch / "base", scratch / "tree"
    platform = ("--override-os", "linux", "--override-arch", architecture())
    try:
        run(("skopeo", *platform, "copy", "--quiet", "--dest-decompress", f"docker://{reference}", f"dir:{fetched}"))
    except MissingToolError as error:
        raise EnvironmentFault(f"the base {reference} cannot be fetched: {error}") from error
    manifest = json.loads((fetched / "manifest.json").read_bytes())
    config = json.loads((fetched / _hex(manifest["config"]["digest"])).read_bytes())
    tree.mkdir()
    layers = []
    for entry, digest in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        layers.append(_layer(fetched / _hex(entry["digest"]), digest, reference))
        _lay_out(layers[-1].path, tree)
    return _described(reference, tree, tuple(layers), tuple(config.get("config", {}).get("Env") or ()))


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _layer(path: Path, digest: str, reference: str) -> Layer:
    """The layer, checked against the digest of its tar in the image's configuration; raises `DamagedError`."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _hex(digest):
        raise DamagedError(f"a layer of {reference} differs from the image's configuration: its sha256 is {found}")
    with tarfile.open(path) as archive:
        unpacked = sum(entry.size for entry in archive if entry.isfile())
    return Layer(f"of {reference}", path, found, path.stat().st_size, unpacked)


def _lay_out(layer: Path, tree: Path) -> None:
    """Unpacks a layer over those below it; raises `DamagedError` for entries that lead out of the tree."""
    with tarfile.open(layer) as archive:
        for entry in archive:
            path = PurePosixPath(entry.name)
            if path.name.startswith(GONE):
                _hide(tree, path)
            elif entry.isfile() or entry.isdir() or entry.islnk() or entry.issym():
                _put(archive, entry, tree)


def _hide(tree: Path, path: PurePosixPath) -> None:
    folder = _inside(tree, path.parent)
    hidden = list(folder.iterdir()) if path.name == OPAQUE else [folder / path.name.removeprefix(GONE)]
    for each in hidden:
        remove(each)


def _put(archive: tarfile.TarFile, entry: tarfile.TarInfo, tree: Path) -> None:
    target = _inside(tree, PurePosixPath(entry.name).parent) / PurePosixPath(entry.name).name
    if not (entry.isdir() and target.is_dir()):
        remove(target)
    try:
        extract(archive, entry, tree, TAR, set_attrs=not entry.isdir())
    except (tarfile.TarError, ValueError, OSError, KeyError) as error:
        raise DamagedError(f"the base contains {entry.name!r}, which cannot be unpacked: {error}") from error


def _inside(tree: Path, folder: PurePosixPath) -> Path:
    place = (tree / str(folder).lstrip("/")).resolve()
    if not place.is_relative_to(tree.resolve()):
        raise DamagedError(f"the base contains {str(folder)!r}, which leads out of the image")
    return place


def _described(reference: str, tree: Path, layers: tuple[Layer, ...], environment: tuple[str, ...]) -> Base:
    home, python = next(_pythons(tree), ("", ""))
    if not home:
        raise UsageError(f"the base {reference} has no Python 3.11 or later in /usr/local/bin or /usr/bin")
    folders = (f"lib/{triplet()}", f"usr/lib/{triplet()}", "lib64", "usr/lib64", "lib", "usr/lib")
    present = tuple(f for f in ("usr/local/lib", *folders) if (tree / f).is_dir())
    said = run((loader([tree / f for f in present]), "--version"))
    version = re.search(r"version (2\.\d+)", said)
    base = Base(tree, reference, python, glibc(version[1] if version else "2.28"), {}, home, "", present)
    place = Path(base.run("-S", "-c", WHERE).strip()).relative_to(tree)
    return replace(base, place=place.as_posix(), layers=layers, environment=environment)


def _pythons(tree: Path) -> Iterator[tuple[str, str]]:
    """Folder and version of each Python that is recent enough, the latest first."""
    for home in HOMES:
        found = [re.fullmatch(r"python3\.(\d+)", path.name) for path in (tree / home / "bin").glob("python3.*")]
        for minor in sorted((int(match[1]) for match in found if match), reverse=True):
            if (3, minor) >= LEAST:
                yield home, f"3.{minor}"
