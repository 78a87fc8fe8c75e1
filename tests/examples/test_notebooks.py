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


CELLS = (
    """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import mlpack_toolkit as mlpack

FACTOR = 3.0
""",
    """
class Scaled(TransformerMixin, BaseEstimator):
    def __init__(self, power=1.0):
        self.power = power

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.abs(X) * FACTOR * self.power

    def to_onnx_graph(self, graph, frame):
        x = graph.matrix(frame)
        return graph.block(graph.op("Mul", graph.op("Abs", x.name), graph.const([FACTOR * self.power])), x.width)
""",
    """
X = np.random.default_rng(0).normal(size=(40, 2))
model = make_pipeline(Scaled(0.5), LinearRegression()).fit(X, np.abs(X[:, 0]))
built = mlpack.build(model, X, name="scaled", output="dist", code="auto", target="docker")
answers = mlpack.load(built.bundle).predict(X)["prediction"]
print("SAME", np.allclose(np.ravel(answers), model.predict(X), 1e-4, 1e-5))
""",
)


@pytest.mark.slow
def test_a_class_of_a_notebook_becomes_a_module_of_the_bundle(tmp_path: Path) -> None:
    if not Path(KERNEL).is_file():
        pytest.skip("NOT TESTED: MLPACK_NOTEBOOK_PYTHON names no interpreter with a Jupyter kernel (make notebooks)")
    cells = [
        {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
        for i, text in enumerate(CELLS)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "own.ipynb").write_text(json.dumps(notebook))
    done = subprocess.run([KERNEL, "-c", RUN, "own.ipynb"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "SAME True" in _shown(json.loads(done.stdout.splitlines()[-1]))
    own = (tmp_path / "dist/scaled-1.0.0/model/code/notebook_code.py").read_text()
    assert "FACTOR = 3.0" in own and "class Scaled(TransformerMixin, BaseEstimator):" in own


def _shown(notebook: dict[str, Any]) -> str:
    """All that the cells printed or displayed."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    texts = [output.get("text", "") for output in outputs]
    return "\n".join([*texts, *("".join(value) for each in outputs for value in each.get("data", {}).values())])
