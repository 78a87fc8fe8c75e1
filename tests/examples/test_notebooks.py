"""The notebooks of `examples/notebooks`, run in a real Jupyter kernel."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
KERNEL = os.environ.get("MLPACK_NOTEBOOK_PYTHON", "")
RUN = """
import json, sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
nbformat.validate(notebook)
NotebookClient(notebook, timeout=200).execute()
print(json.dumps(notebook))
"""
SHOWN = {
    "data-scientist": ["Computes the same", "<code>bill_length_mm</code>", "def logarithm(x):", "probability.female"],
    "auditor": ["Computes the same", "'CPUExecutionProvider'", "scikit-learn", "model.onnx"],
}
"""Words that the reader of each must see."""


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHOWN))
def test_it_runs_and_shows_what_it_says(name: str, tmp_path: Path) -> None:
    if not Path(KERNEL).is_file():
        pytest.skip("NOT TESTED: MLPACK_NOTEBOOK_PYTHON names no interpreter with a Jupyter kernel (make notebooks)")
    command = [KERNEL, "-c", RUN, FOLDER / f"{name}.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    shown = _shown(json.loads(done.stdout.splitlines()[-1]))
    assert not [word for word in SHOWN[name] if word not in shown], shown


def _shown(notebook: dict[str, Any]) -> str:
    """All that the cells printed or displayed."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    texts = [output.get("text", "") for output in outputs]
    return "\n".join([*texts, *("".join(value) for each in outputs for value in each.get("data", {}).values())])
