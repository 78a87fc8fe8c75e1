"""Interpreters older than ours, for what runs in the model's own."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from mlpack_toolkit.packager.environments.python import debian
from mlpack_toolkit.packager.errors import MissingToolError


def python39() -> str:
    """A Python 3.9 that runs: of pyenv, on the path, or of the Debian archive. Skips where there is none."""
    found = _here() or _fetched()
    if not found:
        pytest.skip("NOT TESTED: there is no Python 3.9 here, and none can be fetched from the Debian archive")
    return found


def _here() -> str:
    """One of that name on the path may stand in for another that is not installed."""
    for found in [*Path.home().glob(".pyenv/versions/3.9.*/bin/python"), shutil.which("python3.9")]:
        if found and subprocess.run([found, "--version"], capture_output=True).returncode == 0:
            return str(found)
    return ""


@lru_cache
def _fetched() -> str:
    if shutil.which("apt-get") is None or not debian.offers("3.9"):
        return ""
    try:
        return str(debian.fetched("3.9"))
    except MissingToolError:
        return ""
