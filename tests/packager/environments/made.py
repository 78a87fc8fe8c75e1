"""Small real environments: made by uv, of wheels from the index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlpack_toolkit.packager.environments.python.uv import uv

FEW = ("idna==3.10", "packaging==25.0")


def environment(folder: Path, *requirements: str, python: str = sys.executable) -> Path:
    """The interpreter of a fresh environment that holds these."""
    made = uv("venv", "--quiet", "--python", python, folder)
    assert made.returncode == 0, made.stderr
    path = folder / "bin" / "python"
    if requirements:
        done = uv("pip", "install", "--quiet", "--python", path, *requirements)
        assert done.returncode == 0, done.stderr
    return path


def run(python: Path, code: str, folder: Path) -> str:
    """What the interpreter prints."""
    return subprocess.run([python, "-c", code], cwd=folder, check=True, capture_output=True, text=True).stdout
