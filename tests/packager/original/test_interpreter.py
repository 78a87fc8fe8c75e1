"""`--python`: what cannot be started as a Python is said at once, with exit 9."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from mlpack_toolkit.packager.errors import MissingToolError
from mlpack_toolkit.packager.original import interpreter
from mlpack_toolkit.packager.original.interpreter import check_interpreter
from tests.packager.conftest import Made

Run = Callable[..., tuple[int, dict[str, Any], str]]


def script(folder: Path, text: str) -> str:
    """A program that a shell runs."""
    path = folder / "python3.8"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


SHIM = "echo 'pyenv: python3.8: command not found' >&2; echo 'Note: See pyenv help global' >&2; exit 127"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHIM, "cannot be started as a Python: pyenv: python3.8: command not found; give the interpreter"),
        ("exit 3", "it ends with exit status 3 and no output"),
        ("echo hello", "cannot be started as a Python: hello;"),
        ("true", "it ends with exit status 0 and no output"),
        ("kill -SEGV $$", "it ends with exit status -11"),
        ("yes", "cannot be started as a Python: y;"),
        ("echo mlpack 3.8", "is Python 3.8, and mlpack reads models with Python 3.9 and later"),
        ("echo mlpack 2.7", "is Python 2.7, and"),
    ],
)
def test_no_python_that_serves(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MissingToolError) as caught:
        check_interpreter(script(tmp_path, text))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("python", ["/nowhere/python", "no-such-python", "/etc/passwd", "/tmp", "a\0b", "/bin/cat"])
def test_no_program_that_starts(python: str) -> None:
    with pytest.raises(MissingToolError, match="cannot be started"):
        check_interpreter(python)


def test_one_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "SECONDS", 0.3)
    begun = monotonic()
    with pytest.raises(MissingToolError, match="cannot be started"):
        check_interpreter(script(tmp_path, "exec sleep 100"))
    assert monotonic() - begun < 20


def test_one_that_serves_and_talks(tmp_path: Path) -> None:
    check_interpreter(sys.executable)
    check_interpreter(script(tmp_path, f'echo welcome; exec {sys.executable} "$@"'))


def test_said_before_any_work(flowers: Made, mlpack: Run, tmp_path: Path) -> None:
    """Before the model is scanned: this one is none."""
    (tmp_path / "model.joblib").write_bytes(b"")
    shim = script(tmp_path, SHIM)
    for command in (
        ("build", tmp_path / "model.joblib", "--example", flowers.example, "--python", shim),
        ("bench", flowers.folder, "--against", "original", "--python", shim, "--seconds", "0.01"),
        ("reproduce", flowers.folder, "--into", tmp_path / "again", "--python", shim),
    ):
        code, said, error = mlpack(*command)
        assert code == 9 and "python3.8 cannot be started" in said["error"]["message"], (command, error)
    assert not (tmp_path / "dist").exists() and not (tmp_path / "again").exists()
