"""Prepares an image's files during its build; needs Python 3.11 or later and only the standard library.

`prepare.py FOLDER PLACE [FOLDER PLACE ...]`: removes from each folder the files that no server needs, compiles its
modules for their final path PLACE, and makes it readable for every user. Without arguments: compiles the standard
library's modules that the server loads and that have no bytecode yet, as in slim images; a read-only container would
compile them at each start.
"""

from __future__ import annotations

import compileall
import importlib
import os
import pkgutil
import py_compile
import shutil
import stat
import sys
from pathlib import Path

NEVER_CHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
SERVER = "mlpack_toolkit.runtimes.server"
LOADED_BY_NAME = ("onnxruntime", "uvloop")
WITHOUT = ("google", "grpc")
"""gRPC's packages; the server offers gRPC where they are installed."""
DROPPED = (
    "**/*.pyi",
    "bin",
    "numpy/**/tests",
    "numpy/_core/_*_tests.*.so",
    "numpy/_core/_simd.*.so",
    "numpy/_core/include",
    "numpy/f2py",
    "onnxruntime/backend",
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
"""In the packages: their tests and tools, and ONNX Runtime's library, which its Python module contains once more."""


def prepare(folder: Path, place: str) -> None:
    """Trims and compiles a folder for `place` in the image, and makes it readable for every user."""
    for pattern in DROPPED:
        for path in sorted(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    compiled = compileall.compile_dir(
        folder, quiet=1, force=True, stripdir=str(folder), prependdir=place, invalidation_mode=NEVER_CHECKED
    )
    if not compiled:
        raise SystemExit(f"{folder} contains a module that is not valid in Python {sys.version.split()[0]}")
    for path in (folder, *folder.rglob("*")):
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)


def compile_standard_library() -> None:
    """Compiles the standard modules that the server loads and that have no bytecode yet."""
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    inside = pkgutil.walk_packages(importlib.import_module(SERVER).__path__, f"{SERVER}.")
    for name in (*(found.name for found in inside), *LOADED_BY_NAME):
        try:
            importlib.import_module(name)
        except ImportError as error:
            if (error.name or "").partition(".")[0] not in WITHOUT:
                raise
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        source, cached = getattr(spec, "origin", None), getattr(spec, "cached", None)
        if source and cached and Path(source).is_file() and not Path(cached).exists():
            py_compile.compile(source, cached, doraise=True, invalidation_mode=NEVER_CHECKED)


if __name__ == "__main__":
    given = sys.argv[1:]
    for where, goal in zip(given[::2], given[1::2]):
        prepare(Path(where), goal)
    if not given:
        compile_standard_library()
