"""ONNX files whose tensors are no plain tables: sizes that are free, of one, of half precision, and not of the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.packager.commands.build import Built
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import ConversionError, MismatchError, UsageError
from tests.make import build_model

RNG = np.random.default_rng(0)
FLOAT, HALF, INT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
HALVES = {"root": 1.4142, "one": 1, "half": 0.5}
Tensor = tuple[str, int, list[Any]]


def _built(nodes: list[Any], takes: list[Tensor], gives: list[Tensor], rows: dict[str, Any], folder: Path) -> Built:
    constants = [
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        *(
            numpy_helper.from_array(np.array(v, np.float16), n)
            for n, v in (("root", 1.4142), ("one", 1), ("half", 0.5))
        ),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*t) for t in takes],
        [helper.make_tensor_value_info(*t) for t in gives],
        [c for c in constants if c.name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "rows.npz", **rows)
    return build_model(folder / "model.onnx", folder / "rows.npz", folder / "dist")


def _node(kind: str, takes: str, gives: str, **attributes: Any) -> Any:
    return helper.make_node(kind, takes.split(), [gives], **attributes)


@pytest.mark.parametrize("length", [1, 7])
def test_a_free_length(length: int, tmp_path: Path) -> None:
    ids = RNG.integers(0, 9, (12, length))
    nodes = [_node("Cast", "ids", "f", to=1), _node("Unsqueeze", "f last", "u"), _node("Concat", "u u", "y", axis=2)]
    built = _built(nodes, [("ids", INT, ["N", "T"])], [("y", FLOAT, ["N", "T", 2])], {"ids": ids}, tmp_path)
    assert built.signature.outputs[0].shape == ("N", "T", 2)
    assert built.signature.inputs[0].width == 0
    check_bundle(built.bundle, (), "cpu", lambda step: None)
    predict(built.bundle, tmp_path / "rows.npz", tmp_path / "out.csv")
    assert (pd.read_csv(tmp_path / "out.csv").to_numpy() == np.repeat(ids, 2, axis=1)).all()


def test_half_precision_is_held_to_its_own_tolerance(tmp_path: Path) -> None:
    nodes = [_node("Div", "x root", "a"), _node("Erf", "a", "b"), _node("Add", "b one", "c")]
    nodes += [_node("Mul", "x c", "d"), _node("Mul", "d half", "y")]
    rows = {"x": RNG.normal(size=(200, 8)).astype(np.float16)}
    built = _built(nodes, [("x", HALF, ["N", 8])], [("y", HALF, ["N", 8])], rows, tmp_path)
    assert built.verification.precision == "float16"
    assert built.verification.tolerances["y"].rtol == 2**-10


X = RNG.normal(size=(5, 3)).astype(np.float32)
REFUSED: dict[str, tuple[list[Any], list[Tensor], list[Tensor], dict[str, Any], Any, str]] = {
    "a single number": (
        [_node("Mul", "x s", "y")],
        [("x", FLOAT, ["N", 3]), ("s", FLOAT, [])],
        [("y", FLOAT, ["N", 3])],
        {"x": X, "s": np.float32(2)},
        UsageError,
        "'s' is a single number",
    ),
    "other lengths": (
        [_node("MatMul", "x w", "y")],
        [("x", FLOAT, ["N", 3]), ("w", FLOAT, [3, 2])],
        [("y", FLOAT, ["N", 2])],
        {"x": X, "w": X[:3, :2]},
        UsageError,
        "columns of different lengths",
    ),
    "a sum": (
        [_node("ReduceSum", "x", "y", keepdims=0)],
        [("x", FLOAT, ["N", 3])],
        [("y", FLOAT, [])],
        {"x": X},
        ConversionError,
        r"'y' has the shape \[\] for 5 rows",
    ),
    "turned": (
        [_node("Transpose", "x", "y")],
        [("x", FLOAT, ["N", 3])],
        [("y", FLOAT, [3, "N"])],
        {"x": X},
        ConversionError,
        r"'y' has the shape \[3, 5\] for 5 rows",
    ),
    "as many as the values say": (
        [_node("NonZero", "x", "y")],
        [("x", FLOAT, ["N", "T"])],
        [("y", INT, [2, "K"])],
        {"x": X[:2]},
        MismatchError,
        "does not answer like the original",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rows_is_refused(name: str, tmp_path: Path) -> None:
    *given, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        _built(*given, tmp_path)  # type: ignore[arg-type]
