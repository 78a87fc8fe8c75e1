"""The report says in which block of a module the error grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import MATRIX, Signature, Table, TensorSpec
from mlpack_toolkit.packager.bundle.architecture import Block, grown
from mlpack_toolkit.packager.equivalence.layers import ROWS, TOO_LARGE, _rows, with_errors
from mlpack_toolkit.packager.equivalence.probes import Probes
from mlpack_toolkit.packager.errors import ForgedError, ModelError

LAYERS = ("body.0", "body.1", "body.2", "head")
SIGNATURE = Signature("graph", (TensorSpec("x", "float32", ("N", 4)),), (TensorSpec("y", "float32", ("N", 4)),))
ROWS_OF_4: Table = {"x": np.random.default_rng(0).random((ROWS, 4), np.float32)}
Array = np.ndarray[Any, Any]


def _weights() -> list[Array]:
    return list(np.random.default_rng(1).random((len(LAYERS), 4, 4), np.float32))


def _graph(folder: Path, weights: Sequence[Array], outside: bool = False) -> Artifact:
    """A chain of `tanh(x @ w)`, one for each layer, of which the products stay inside. `outside`: numbers in a file."""
    nodes, value = [], "x"
    for i, path in enumerate(LAYERS):
        last = "y" if path == "head" else f"h{i}"
        made = [helper.make_node("MatMul", [value, f"w{i}"], [f"p{i}"]), helper.make_node("Tanh", [f"p{i}"], [last])]
        through = helper.make_node("Identity", [f"p{i}"], [f"q{i}"])  # of no module, between two nodes of one
        made[1].input[0] = f"q{i}"
        for node in made:
            node.metadata_props.add(key="module", value=path)
        made.insert(1, through)
        nodes, value = [*nodes, *made], last
    names = ["x", "y", *(f"p{i}" for i in range(4)), *(f"h{i}" for i in range(3))]
    x, y, *known = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in names]
    tensors = [numpy_helper.from_array(each, f"w{i}") for i, each in enumerate(weights)]
    graph = helper.make_graph(nodes, "g", [x], [y], tensors, value_info=known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path, data = folder / "model.onnx", "model.onnx.data"
    onnx.save(model, path, save_as_external_data=outside, location=data, size_threshold=0)
    return Artifact.of(path, [data] if outside else [])


def _original(weights: Sequence[Array]) -> Callable[[Table, tuple[str, ...]], tuple[Table, Sequence[str]]]:
    def ask(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        found, value = {}, rows["x"]
        for path, weight in zip(LAYERS, weights, strict=True):
            value = np.tanh(value @ weight)
            found[f"{path} 0"] = value
        return {name: each for name, each in found.items() if name.rpartition(" ")[0] in paths}, ()

    return ask


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("worse", range(len(LAYERS)))
def test_the_block_whose_numbers_are_worse_is_named(worse: int, outside: bool, tmp_path: Path) -> None:
    weights = _weights()
    graph = _graph(tmp_path, [w * (1.003 if i == worse else 1) for i, w in enumerate(weights)], outside)
    before = sorted(each.name for each in tmp_path.iterdir())
    found = with_errors(graph, SIGNATURE, ROWS_OF_4, _original(weights))
    assert [block.path for block in found] == list(LAYERS)
    block = grown(found)
    assert block is not None and block.path == LAYERS[worse]
    assert block.error is not None and 1e-5 < block.error < 0.01 and block.before < 1e-6
    assert [b.error is not None and b.error < 1e-6 for b in found] == [i < worse for i in range(len(LAYERS))]
    assert sorted(each.name for each in tmp_path.iterdir()) == before, "the copy is gone"
    assert with_errors(graph, SIGNATURE, ROWS_OF_4, _original(weights)) == found, "the same numbers again"


def test_what_the_graph_computes_in_another_form_is_no_error(tmp_path: Path) -> None:
    graph, original = _graph(tmp_path, _weights()), _original(_weights())

    def ask(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        found, _ = original(rows, paths)
        other = {"body.0 0": found["body.0 0"][:, :3], "body.1 0": -found["body.1 0"]}
        return {name: other.get(name, each) for name, each in found.items() if name != "head 0"}, ("head",)

    found = with_errors(graph, SIGNATURE, ROWS_OF_4, ask)
    assert [block.remark for block in found] == ["not comparable", "not comparable", "", TOO_LARGE]
    assert [block.error is None for block in found] == [True, True, False, True]
    third = found[2]
    assert third.error is not None and third.error < 1e-6 and third.before == 0.0


def test_a_call_of_a_shared_module_is_compared_with_the_nearest(tmp_path: Path) -> None:
    original = _original(_weights())

    def ask(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        found, _ = original(rows, paths)
        return {**found, "body.1 0": -found["body.1 0"], "body.1 1": found["body.1 0"]}, ()

    found = with_errors(_graph(tmp_path, _weights()), SIGNATURE, ROWS_OF_4, ask)
    assert all(block.error is not None and block.error < 1e-6 for block in found)


def test_an_original_that_cannot_be_asked_leaves_the_blocks_as_they_are(tmp_path: Path) -> None:
    graph = _graph(tmp_path, _weights())

    def none(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        return {}, ()

    def ends(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        raise ModelError("the model's process died")

    def forges(rows: Table, paths: tuple[str, ...]) -> tuple[Table, Sequence[str]]:
        raise ForgedError("broke the protocol")

    plain = with_errors(graph, SIGNATURE, ROWS_OF_4, none)
    assert plain[0] == Block("body.0", "MatMul, Tanh", 16, "N × 4")
    assert with_errors(graph, SIGNATURE, ROWS_OF_4, ends) == plain and grown(plain) is None
    with pytest.raises(ForgedError):
        with_errors(graph, SIGNATURE, ROWS_OF_4, forges)
    columns = replace(SIGNATURE, inputs=(SIGNATURE.inputs[0].with_cells(kind=MATRIX),))
    assert with_errors(graph, columns, ROWS_OF_4, forges) == plain, "a table has no submodules"


def test_some_rows_of_the_example_are_asked() -> None:
    rows = {"x": np.arange(20, dtype=np.float32).reshape(5, 4)}
    kinds = np.array(["example"] * 5, object)
    probes = Probes(rows, kinds, kinds, {"y": rows["x"]}, {}, axes={"x": 0, "y": 0})
    np.testing.assert_array_equal(_rows(SIGNATURE, probes)["x"], rows["x"][:ROWS])
