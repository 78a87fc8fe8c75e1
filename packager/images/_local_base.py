"""Makes a base image from Debian's Python with pip, for engine builds without a registry."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from ..cache import seal, whole
from ..debian import unpacked
from ..errors import DamagedError
from ..paths import kept
from ._archive import Configuration, write_archive
from ._engine import Engine
from ._layers import Source, write_layer
from ._rootfs import Base, architecture

PIP = "python3-pip-whl"
PLACE = "usr/lib/python3/dist-packages"


def local_base(engine: Engine, suite: str, base: Base, scratch: Path) -> str:
    """Loads the base image into the engine and returns its name, `mlpack-base:SUITE-DIGEST`, by its content."""
    layers = [
        write_layer(base.title, base.source(), scratch / "base-0"),
        write_layer("pip", pip(suite), scratch / "base-1"),
    ]
    name = f"mlpack-base:{suite}-{layers[0].digest[:12]}{layers[1].digest[:12]}"
    if not any(name in image.tags for image in engine.client.images.list()):
        runs = {"Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8"], "Cmd": [base.program]}
        archive = scratch / "base.tar"
        write_archive(archive, Configuration(architecture(), runs, {}), layers, name)
        with archive.open("rb") as file:
            engine.client.images.load(file)
    return name


def pip(suite: str) -> dict[str, Source]:
    """Debian's wheel of pip, unpacked into the search path of Debian's Python."""
    with zipfile.ZipFile(_wheel(suite)) as wheel:
        return {f"{PLACE}/{name}": wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}


def _wheel(suite: str) -> Path:
    folder = kept() / "images" / f"pip-{suite}"
    if not whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as scratch:
            tree, made = unpacked([PIP], suite, Path(scratch)), Path(scratch) / "made"
            made.mkdir()
            for path in tree.rglob("pip-*.whl"):
                path.replace(made / path.name)
            seal(made)
            made.rename(folder)
    found = [path for path in sorted(folder.iterdir()) if re.fullmatch(r"pip-[\w.]+-py3-none-any\.whl", path.name)]
    if not found:
        raise DamagedError(f"Debian's package {PIP} of {suite} contains no wheel of pip")
    return found[-1]
