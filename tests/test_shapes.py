"""ONNX files whose tensors are no plain tables: of any rank, with the batch on any axis, in half precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters.bfloat16 import rounded
from mlpack_toolkit.converters.spec import Range
from mlpack_toolkit.packager.built import Built
from mlpack_toolkit.packager.commands.predict import predict
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import UsageError
from tests.make import build_model

RNG = np.random.default_rng(0)
FLOAT, HALF, INT, WORD = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.STRING
BRAIN = TensorProto.BFLOAT16
CONSTANTS = {
    **{name: np.array(v, np.float16) for name, v in (("root", 1.4142), ("one", 1), ("half", 0.5))},
    "last": np.array([2], np.int64),
    "w": RNG.normal(size=(1, 9, 4)).astype(np.float32),
    "r": RNG.normal(size=(1, 9, 3)).astype(np.float32),
    "flat": np.array([-1, 3], np.int64),
    "words": RNG.normal(size=(5, 4)).astype(np.float32),
}
Tensor = tuple[str, int, Any]


def _built(nodes: list[Any], takes: list[Tensor], gives: list[Tensor], rows: dict[str, Any], folder: Path) -> Built:
    used = {name for node in nodes for name in node.input} - {name for name, _, _ in takes}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*t) for t in takes],
        [helper.make_tensor_value_info(*t) for t in gives],
        [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "rows.npz", **rows)
    return build_model(folder / "model.onnx", folder / "rows.npz", folder / "dist")


def _node(kind: str, takes: str, gives: str, **attributes: Any) -> Any:
    return helper.make_node(kind, takes.split(), [gives], **attributes)


def _tried(built: Built) -> set[str]:
    return set(built.verification.probes) | set(built.verification.refused)


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


def test_bfloat16_is_held_to_its_own_tolerance(tmp_path: Path) -> None:
    """numpy lacks the type: ml_dtypes' arrays and float32 go in, float32 with the same numbers comes out."""
    nodes = [_node("Cast", "x", "f", to=FLOAT), _node("Softmax", "f", "s"), _node("Cast", "s", "y", to=BRAIN)]
    rows = RNG.normal(size=(40, 8)).astype(ml_dtypes.bfloat16)
    built = _built(nodes, [("x", BRAIN, ["N", 8])], [("y", BRAIN, ["N", 8])], {"x": rows}, tmp_path)
    assert [t.dtype for t in (*built.signature.inputs, *built.signature.outputs)] == ["bfloat16"] * 2
    assert built.verification.precision == "bfloat16" and built.verification.tolerances["y"].rtol == 2**-7
    assert {"-3.38953e+38 in x", "inf in x", "nan in x", "size 1 of N", "size 0 of N"} <= _tried(built)
    request = json.loads((built.bundle / "golden/case-000.request.json").read_bytes())["inputs"][0]
    first = (built.bundle / "golden/case-000.request.bin").read_bytes()[:16]
    assert request["datatype"] == "BF16" and first == rows[0].tobytes()
    check_bundle(built.bundle, (), "cpu", lambda step: None)
    np.savez(tmp_path / "wide.npz", x=rows.astype(np.float32) * (1 + 2**-12))
    for given in ("rows.npz", "wide.npz"):
        predict(built.bundle, tmp_path / given, tmp_path / "out.npz")
        with np.load(tmp_path / "out.npz") as found:
            assert found["y"].dtype == np.float32 and (rounded(found["y"]) == found["y"]).all()
            exact = np.exp(rows.astype(float)) / np.exp(rows.astype(float)).sum(axis=1, keepdims=True)
            np.testing.assert_allclose(found["y"], exact, rtol=2**-8)


def test_a_cache_whose_batch_is_the_second_axis_beside_a_single_number(tmp_path: Path) -> None:
    """The step of a decoder: tokens, a temperature, and keys and values `[2, batch, past, width]`."""
    nodes = [_node("Gather", "words ids", "e"), _node("Div", "e temperature", "logits"), _node("Neg", "kv", "next")]
    takes: list[Tensor] = [("ids", INT, ["batch", "T"]), ("temperature", FLOAT, [])]
    takes += [("kv", FLOAT, [2, "batch", "past", 4])]
    gives: list[Tensor] = [("logits", FLOAT, ["batch", "T", 4]), ("next", FLOAT, [2, "batch", "past", 4])]
    ids, kv = RNG.integers(0, 5, (6, 3)), RNG.normal(size=(2, 6, 5, 4)).astype(np.float32)
    rows = {"ids": ids, "temperature": np.float32(0.5), "kv": kv}
    built = _built(nodes, takes, gives, rows, tmp_path)
    assert built.signature.batch_axes == {"ids": 0, "temperature": None, "kv": 1, "logits": 0, "next": 1}
    sizes = {f"size {n} of {dim}" for dim in ("N", "T", "past") for n in (0, 1)}
    assert sizes | {"batch of 1", "batch of 0", "permuted batch"} <= set(built.verification.probes)
    assert "9223372036854775807 in ids" in built.verification.refused, "no such word: noted, not a crash"
    check_bundle(built.bundle, (), "cpu", lambda step: None)
    predict(built.bundle, tmp_path / "rows.npz", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["next"], -kv)
        np.testing.assert_allclose(found["logits"], CONSTANTS["words"][ids] / 0.5, rtol=1e-6)
    np.savez(tmp_path / "uneven.npz", **{**rows, "kv": kv[:, :4]})
    with pytest.raises(UsageError, match=r"'kv' has the shape \[2, 4, 5, 4\].*a named dimension has one size"):
        predict(built.bundle, tmp_path / "uneven.npz", None)


def test_answers_without_rows(tmp_path: Path) -> None:
    """A sum over all rows, sizes that hang on the values, and a matrix that is the same for all rows."""
    nodes = [_node("ReduceSum", "x", "sum", keepdims=0), _node("NonZero", "x", "places"), _node("MatMul", "x w", "y")]
    takes: list[Tensor] = [("x", FLOAT, ["N", "T"]), ("w", FLOAT, ["T", 2])]
    gives: list[Tensor] = [("sum", FLOAT, []), ("places", INT, [2, "K"]), ("y", FLOAT, ["N", 2])]
    x, w = RNG.normal(size=(5, 3)).astype(np.float32), RNG.normal(size=(3, 2)).astype(np.float32)
    built = _built(nodes, takes, gives, {"x": x, "w": w}, tmp_path)
    assert [t.shape for t in built.signature.outputs] == [(), (2, "K"), ("N", 2)]
    assert not built.signature.has_rows and {"size 0 of T", "nan in w", "inf in x"} <= _tried(built)
    check_bundle(built.bundle, (), "cpu", lambda step: None)
    predict(built.bundle, tmp_path / "rows.npz", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as found:
        assert found["places"].shape == (2, 15) and found["sum"].shape == ()
        np.testing.assert_allclose(found["y"], x @ w, rtol=1e-5)
    with pytest.raises(UsageError, match=r"-o FILE\.npz"):
        predict(built.bundle, tmp_path / "rows.npz", None)


def test_a_value_that_ends_the_process_is_noted(tmp_path: Path) -> None:
    """A division of whole numbers by 0 ends ONNX Runtime's process; and a size that the graph does not declare."""
    nodes = [_node("Div", "x d", "q"), _node("Flatten", "q", "y", axis=1)]
    takes: list[Tensor] = [("x", INT, ["N", "T", 2]), ("d", INT, ["N", "T", 2])]
    x = RNG.integers(1, 99, (4, 3, 2))
    built = _built(nodes, takes, [("y", INT, None)], {"x": x, "d": np.full_like(x, 3)}, tmp_path)
    assert built.verification.refused == {"0 in d": 1} and "1 in d" in built.verification.probes
    assert built.signature.outputs[0].shape == ("N", "y_1")


def test_rows_are_where_the_answers_say(tmp_path: Path) -> None:
    """`[seq, batch, 3]`: along `seq` the answers depend on each other, along `batch` they do not."""
    tensor: Tensor = ("x", FLOAT, ["seq", "batch", 3])
    x = RNG.normal(size=(4, 5, 3)).astype(np.float32)
    built = _built([_node("Softmax", "x", "y", axis=0)], [tensor], [("y", *tensor[1:])], {"x": x}, tmp_path)
    assert built.signature.inputs[0].shape == built.signature.outputs[0].shape == ("seq", "N", 3)
    check_bundle(built.bundle, (), "cpu", lambda step: None)


def test_what_the_original_does_not_take_becomes_rules(tmp_path: Path) -> None:
    """ONNX Runtime's GRU ends its process on an empty batch, and Gather raises beyond the table of 5 words."""
    nodes = [
        _node("Gather", "words ids", "x", axis=0),
        _node("Transpose", "x", "steps", perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "w", "r"], ["", "state"], hidden_size=3),
        _node("Reshape", "state flat", "y"),
    ]
    built = _built(nodes, [("ids", INT, ["N", "length"])], [("y", FLOAT, ["N", 3])], {"ids": _ids(6, 4)}, tmp_path)
    (ids,) = built.signature.inputs
    assert (ids.least, ids.most) == (-5, 4)
    assert built.signature.ranges == (Range("N", 1), Range("length", 1))
    assert built.verification.refused["size 0 of N"] == 1
    for rows, said in (
        (_ids(0, 4), "a size of 0 along 'N'"),
        (_ids(2, 0), "along 'length'"),
        (_ids(2, 2) + 9, "above 4"),
    ):
        np.savez(tmp_path / "bad.npz", ids=rows)
        with pytest.raises(UsageError, match=said):
            predict(built.bundle, tmp_path / "bad.npz", tmp_path / "out.npz")


def _ids(rows: int, length: int) -> np.ndarray[Any, Any]:
    return RNG.integers(0, 5, (rows, length))
