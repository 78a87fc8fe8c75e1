"""An error that nobody foresaw ends in one sentence and, with `--json`, in one object: never in a bare traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack_toolkit.packager.crash import told

ROOT = Path(__file__).parents[2]
BROKEN = """
import sys
import mlpack_toolkit.packager.commands.inspect
def broken(path):
    raise {error}
mlpack_toolkit.packager.commands.inspect.inspect = broken
sys.argv = ["mlpack", "inspect", "x", *sys.argv[1:]]
from mlpack_toolkit.packager.cli import main
main()
"""


def run(
    folder: Path, *options: str, error: str = "KeyError('täg')", **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "PYTHONUTF8": "1", **variables}
    command = [sys.executable, "-c", BROKEN.format(error=error), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.parametrize("error", ["KeyError('täg')", "AssertionError", "RecursionError('deep')", "MemoryError()"])
def test_one_sentence_and_a_file(error: str, tmp_path: Path) -> None:
    done = run(tmp_path, error=error)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    (file,) = tmp_path.glob("mlpack-error-*.txt")
    assert line.startswith(f"mlpack: mlpack failed because of a bug ({error.partition('(')[0]}")
    assert "please report it" in line and str(file) in line and "CONTRIBUTING.md" in line
    text = file.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in text and "in broken" in text and "mlpack 0." in text


def test_one_object(tmp_path: Path) -> None:
    done = run(tmp_path, "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 1 == error["exit"] and error["kind"] == "InternalError"
    assert f"mlpack: {error['message']}\n" == done.stderr
    assert Path(error["traceback"]).read_text().rstrip().endswith("KeyError: 'täg'")


def test_shown_where_it_is_wanted(tmp_path: Path) -> None:
    done = run(tmp_path, MLPACK_TRACEBACK="1")
    assert "Traceback (most recent call last)" in done.stderr and done.stderr.splitlines()[-1].startswith(
        "mlpack: mlpack"
    )
    assert "Traceback" not in run(tmp_path, MLPACK_TRACEBACK="0").stderr


def test_where_no_file_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.mkstemp", lambda **options: (_ for _ in ()).throw(OSError("full")))
    said = told(ValueError("x\ny"))
    assert "(ValueError: x y)" in said["message"] and "the output of MLPACK_TRACEBACK=1" in said["message"]
    assert "traceback" not in said
