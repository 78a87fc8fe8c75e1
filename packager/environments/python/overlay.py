"""Installs missing converter dependencies into an overlay; the user's environment is untouched."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...cache import seal, whole
from ...errors import EnvironmentFault
from ...paths import kept, program
from .capture import Captured
from .uv import last_words, listed, uv


def converter_packages(python: str, captured: Captured, wanted: Sequence[str]) -> Path:
    """A folder to append to the interpreter's path, with versions that fit its own packages.

    `wanted`: the packages, as pip takes them.
    """
    installed = [f"{each['name']}=={each['version']}" for each in captured.distributions]
    lines = _missing(program(python), installed, wanted)
    key = hashlib.sha256(listed([captured.facts["interpreter"]["version"], *lines]).encode()).hexdigest()
    folder = kept() / "overlays" / key[:32]
    if not whole(folder):
        folder.parent.mkdir(exist_ok=True)
        _install(program(python), lines, folder)
    return folder


def _missing(python: str, installed: list[str], wanted: Sequence[str]) -> list[str]:
    """Exact pins of the packages to add."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(listed([line for line in installed if "+" not in line]))
        constraints.flush()
        done = uv(
            *("pip", "compile", "-", "--python", python, "--constraint", constraints.name),
            *("--no-header", "--no-annotate", "--only-binary", ":all:"),
            given=listed(wanted),
        )
    if done.returncode:
        raise EnvironmentFault(
            f"the converter's packages ({', '.join(wanted)}) conflict with the packages of {python}: {last_words(done)}"
        )
    here = {line.lower().replace("_", "-") for line in installed}
    return [line for line in done.stdout.split() if "==" in line and line.lower().replace("_", "-") not in here]


def _install(python: str, lines: list[str], folder: Path) -> None:
    beside = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        done = uv("pip", "install", "--python", python, "--target", beside, "--no-deps", *lines)
        if done.returncode:
            raise EnvironmentFault(f"the converter's packages cannot be installed: {last_words(done)}")
        seal(beside)
        if not folder.is_dir():
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
