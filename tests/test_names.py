"""Columns of any name: no name has a meaning of its own, neither for a file nor for the graph."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters.spec import COLUMN, MATRIX, Cells, Signature, TensorSpec
from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.commands.bench import bench_bundle
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from tests.make import asked_again, build_model, save

ROWS = 30
LETTERS = "aX_ .0-é日😀'$/{}<>&;#%\\u0301"
DRAWN = tuple(dict.fromkeys("".join(random.Random(seed).choices(LETTERS, k=1 + seed % 4)) for seed in range(12)))
"""Names drawn from letters of many kinds."""
NAMES = (
    "X", "text", "label", "probabilities", "prediction", "transformed", "decision_function", "output", "input", "index",
    "", " ", "input_label", "naïve 😀", "日本", "__class__", "self", "N", "n", "c", "c_1", "model", "0", "NaN", "null",
    'a "quoted" name', "tab\tand\nline", "back\\slash", "a.b", "a:b", "a,b",
)  # fmt: skip
"""Names of our own outputs, of tensors within a graph, of symbolic dimensions, of nothing, and odd ones."""


def _frame(names: tuple[str, ...], seed: int = 0) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(ROWS, len(names))), columns=list(names))


def _fitted(frame: pd.DataFrame) -> Any:
    """A classifier, which refuses missing numbers."""
    y = (frame.to_numpy() @ np.arange(1, frame.shape[1] + 1)) > 0
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, y)


def _built(frame: pd.DataFrame, folder: Path, **options: Any) -> Built:
    return build_model(*save(_fitted(frame), frame, folder), folder / "dist", **options)


def _holds(built: Built, frame: pd.DataFrame, folder: Path, kinds: tuple[str, ...] = ("csv",)) -> None:
    """Whether everything that reads the bundle by names answers as the model does."""
    check_bundle(built.bundle, (), "cpu", lambda step: None)
    want = _fitted(frame).predict_proba(frame)[:, 1]
    for kind in kinds:
        getattr(frame, f"to_{kind}")(folder / f"rows.{kind}", index=False)
        predict(built.bundle, folder / f"rows.{kind}", folder / "out.parquet")
        got = pd.read_parquet(folder / "out.parquet")["probability.True"]
        assert np.allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_frame_with_all_of_them(tmp_path: Path) -> None:
    frame = _frame(tuple(dict.fromkeys([*NAMES, *DRAWN])))
    built = _built(frame, tmp_path)
    _holds(built, frame, tmp_path, ("csv", "parquet"))
    again = asked_again(built)
    assert again["same_bits"] == again["cases"] > 1
    assert [t.name for t in built.signature.inputs] == list(frame)
    assert {t.name: t.graph_name for t in built.signature.inputs if t.graph_name} == {
        "": "input_", "label": "input_input_label", "probabilities": "input_probabilities"
    }  # fmt: skip
    bench_bundle(built.bundle, "original", sys.executable, 0.01)


def test_the_names_of_the_graphs_own_tensors(tmp_path: Path) -> None:
    graph = onnx.load(_built(_frame(("a", "b")), tmp_path / "first").bundle / "model" / "model.onnx").graph
    names = tuple(sorted({n for node in graph.node for n in node.output} | {t.name for t in graph.initializer}))
    frame = _frame(names)
    _holds(_built(frame, tmp_path / "second"), frame, tmp_path)


@pytest.mark.parametrize("name", ["X", "label", ""])
def test_a_frame_of_one_column(name: str, tmp_path: Path) -> None:
    frame = _frame((name,))
    built = _built(frame, tmp_path)
    assert built.signature.inputs[0].kind == COLUMN
    _holds(built, frame, tmp_path)


@pytest.mark.slow
@pytest.mark.full  # `make test` has test_hostile_names
def test_the_projects_of_such_a_frame(tmp_path: Path) -> None:
    """Java and C++ are compiled; the names that the graph cannot have are mapped there too."""
    built = _built(_frame(NAMES), tmp_path, targets=("java", "cpp"))
    golden = check_bundle(built.bundle, ("java", "cpp"), "cpu", lambda step: None)["golden"]
    assert golden["java"] == golden["cpp"] == golden["CPUExecutionProvider"] > 4


def test_a_matrix_from_columns_of_any_name(tmp_path: Path) -> None:
    """A model of a matrix takes all columns of a file, also where one is called as its input is."""
    rows = _frame(("X", "Y"))
    model = LogisticRegression().fit(rows.to_numpy(), rows["X"] > 0)
    built = build_model(*save(model, rows, tmp_path), tmp_path / "dist")
    assert [(t.name, t.kind, t.shape) for t in built.signature.inputs] == [("X", MATRIX, ("N", 2))]
    predict(built.bundle, tmp_path / "model.parquet", tmp_path / "out.parquet")
    got = pd.read_parquet(tmp_path / "out.parquet")["probability.True"]
    assert np.allclose(got, model.predict_proba(rows.to_numpy())[:, 1], rtol=1e-5)


@pytest.mark.parametrize(("names", "kinds"), [("X", [MATRIX]), ("a", [COLUMN]), ("Xa", [COLUMN, COLUMN])])
def test_bundles_that_do_not_say_the_kind(names: str, kinds: list[str]) -> None:
    """Those of before the field: the only input called X is a matrix."""
    inputs = [{"name": name, "dtype": "float64", "shape": ["N", 1]} for name in names]
    old = {"task": "regressor", "inputs": inputs, "outputs": [], "classes": []}
    read = Signature.from_json(old)
    assert [t.kind for t in read.inputs] == kinds
    assert Signature.from_json(read.to_json()) == read
    assert Signature.from_json({**old, "task": "graph"}).inputs[0].kind == ""


def test_the_label_of_a_row_is_rounded_and_that_of_an_answer_is_not() -> None:
    label = TensorSpec("label", "float64", ("N",))
    read = Signature("classifier", (replace(label, cells=Cells()),), (label,)).in_precision("float32")
    assert (read.inputs[0].dtype, read.outputs[0].dtype) == ("float32", "float64")
