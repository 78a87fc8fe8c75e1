"""A conda environment with a pip package in it: recorded, vendored, and rebuilt from the bundle alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlpack_toolkit.packager.environments import rebuild, record
from mlpack_toolkit.packager.environments.python.uv import uv

pytest.importorskip("rattler", reason="py-rattler is not installed: pip install 'mlpack-toolkit[conda]'")

from .channel import HERE, add, index, install
from .made import run

REAL = Path(os.path.realpath(sys.executable))
START = f'#!/bin/bash\nexec -a "$0" {REAL} "$@"\n'


def test_conda_and_pip_together(tmp_path: Path) -> None:
    """The channel's python is this one, known by its own folder as environments are."""
    version = "{}.{}.{}".format(*sys.version_info)
    site = "lib/python{}.{}/site-packages".format(*sys.version_info)
    files = {
        "bin/python": START.encode(),
        "pyvenv.cfg": f"home = {REAL.parent}\nversion = {version}\ninclude-system-site-packages = false\n".encode(),
        f"{site}/README": b"empty\n",
    }
    channel = tmp_path / "channel"
    add(channel, HERE, "python", version, files, [])
    index(channel)
    prefix = tmp_path / "env"
    install(channel, prefix, "python")
    python = prefix / "bin" / "python"
    done = uv("pip", "install", "--quiet", "--python", python, "idna==3.10")
    assert done.returncode == 0, done.stderr
    recorded = record(str(python)).result(("idna",), True, None)
    for path, content in recorded.files.items():
        (tmp_path / "bundle" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / path).write_bytes(content)
    made = rebuild(tmp_path / "bundle", recorded.document, tmp_path / "again", None)
    code = "import idna, sys; print(idna.__version__, sys.prefix)"
    assert run(Path(made.path), code, tmp_path) == f"3.10 {tmp_path / 'again'}\n"
    assert recorded.facts == {"vendored": True, "unproved": []}
