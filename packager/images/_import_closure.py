"""Computes the server's import closure by importing it: its own modules and the packages they load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..errors import MissingToolError
from ._layers import sorted_files

PACKAGE = "mlpack_toolkit"
SERVER = f"{PACKAGE}.runtimes.server"
LOADED_BY_NAME = ("onnxruntime",)
"""Imported when a model is loaded."""
FOR_IMAGES = ("PIL.JpegImagePlugin", "PIL.PngImagePlugin")
"""Imported when a request is an image."""
WITHOUT = ("google", "grpc")
"""gRPC's packages, which are left out: the server works without them, and they would be a tenth of the image."""
LOOK = """
import importlib, json, pkgutil, sys
root, server, without, *others = sys.argv[1:]
sys.path.insert(0, root)
sys.modules.update(dict.fromkeys(without.split(",")))
before = set(sys.modules)
for found in pkgutil.walk_packages(importlib.import_module(server).__path__, server + "."):
    try:
        importlib.import_module(found.name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in without.split(","):
            raise
for name in others:
    importlib.import_module(name)
print(json.dumps({n: getattr(sys.modules[n], "__file__", None) for n in set(sys.modules) - before}))
"""


@dataclass(frozen=True)
class Needs:
    """`modules`: the server's own files, by path below their common folder. `packages`: name to version."""

    modules: Mapping[str, Path]
    packages: Mapping[str, str]


def needs(images: bool = False) -> Needs:
    """The server's import closure in a new interpreter; raises `MissingToolError` where a part is not installed.

    `images`: the model takes images.
    """
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", LOOK, str(root), SERVER, ",".join(WITHOUT), *LOADED_BY_NAME]
    command += FOR_IMAGES if images else ()
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        extras = "serve,image-input" if images else "serve"
        last = done.stderr.strip().splitlines()[-1:]
        raise MissingToolError(
            f"the server does not start here: {''.join(last)}; pip install 'mlpack-toolkit[{extras}]'"
        )
    loaded: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    files = [Path(file) for file in loaded.values() if file]
    own = {p.relative_to(root).as_posix(): p for p in (*files, *_data(root)) if _is_ours(p, root)}
    return Needs(dict(sorted(own.items())), _packages({name.partition(".")[0] for name in loaded}))


def _is_ours(path: Path, root: Path) -> bool:
    return path.is_relative_to(root) and path.relative_to(root).parts[0] == PACKAGE


def _data(root: Path) -> list[Path]:
    """The files that the server reads besides Python modules, such as its page."""
    folder = root.joinpath(*SERVER.split("."))
    return [p for p in sorted_files(folder) if p.suffix not in (".py", ".pyc")]


def _packages(modules: set[str]) -> dict[str, str]:
    """The distributions of these modules; modules of none are the standard library's or mlpack's."""
    holders = metadata.packages_distributions()
    names = {name for module in modules - {PACKAGE} for name in holders.get(module, ())}
    return {name: metadata.version(name) for name in sorted(names)}
