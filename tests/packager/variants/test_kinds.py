"""The passes by themselves: what they change, what they leave, what they say when they change nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.packager import variants
from mlpack_toolkit.packager.accuracy.making import check_is_one
from mlpack_toolkit.packager.errors import ConversionError, UsageError
from mlpack_toolkit.packager.variants import _graph, int8_static
from tests.packager.variants.nets import WIDE, answers, net, passed, rows, save

KINDS = {"fp16": 1e-3, "int8": 0.02, "int8_static": 0.05, "int8_weights": 0.01, "int4": 0.12}
"""By kind that runs on the CPU, the most that its answers may be off, as a share of their size."""


def share(path: Path, parent: Path) -> float:
    """How far a variant is off, as a share of the answers' size."""
    table = rows(200, 3)
    want = answers(parent, table)
    return float(np.linalg.norm(answers(path, table) - want) / np.linalg.norm(want))


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_another_graph_and_near_its_parent(kind: str, operator: str, tmp_path: Path) -> None:
    parent = net(tmp_path / "net.onnx", operator)
    made = passed(kind, parent, tmp_path / "made")
    check_is_one(variants.load(kind), kind, Artifact.of(parent), made)
    assert 0 < share(made.artifact.path, parent) < KINDS[kind]
    assert {"layer0", "layer1"} <= set(made.changed)
    again = passed(kind, parent, tmp_path / "again")
    assert [file.sha256 for file in again.artifact.files] == [file.sha256 for file in made.artifact.files]
    proto = onnx.load(made.artifact.path)
    assert [(i.name, i.type.tensor_type.elem_type) for i in proto.graph.input] == [("x", TensorProto.FLOAT)]
    assert [(o.name, o.type.tensor_type.elem_type) for o in proto.graph.output] == [("logits", TensorProto.FLOAT)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_stays_in_the_parents_type(kind: str, tmp_path: Path) -> None:
    parent = net(tmp_path / "net.onnx")
    whole = passed(kind, parent, tmp_path / "whole")
    part = passed(kind, parent, tmp_path / "part", keep=frozenset({"layer1"}))
    assert set(whole.changed) - set(part.changed) == {"layer1"}
    if kind not in ("fp16", "int8_static"):  # there the errors of few nodes cancel out as often as they add up
        assert share(part.artifact.path, parent) < share(whole.artifact.path, parent)
    assert any(node.name == "layer1" and node.op_type == "Gemm" for node in onnx.load(part.artifact.path).graph.node)


def test_an_int4_variant_that_would_do_nothing_is_refused(tmp_path: Path) -> None:
    """The products are of two inputs of the graph, not with a constant: there is nothing to quantise."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "t"], ["square"]),
        helper.make_node("MatMul", ["square", "x"], ["wide"]),
        helper.make_node("Slice", ["wide", "from", "to", "axis"], ["logits"]),
    ]
    constants = {name: np.array([n], np.int64) for name, n in {"from": 0, "to": 10, "axis": 1}.items()}
    parent = save(tmp_path / "net.onnx", nodes, constants)
    for kind in ("int4", "int8", "int8_weights"):
        made = passed(kind, parent, tmp_path / kind)
        with pytest.raises(
            ConversionError, match=f"the variant {kind} would be its parent under another name"
        ) as error:
            check_is_one(variants.load(kind), kind, Artifact.of(parent), made)
        assert "no node was quantised" in str(error.value) and error.value.exit_code == 4
    made = passed("int8_static", parent, tmp_path / "static")  # it quantises both sides, and no weight
    with pytest.raises(ConversionError, match="gains nothing: 2 nodes were quantised"):
        check_is_one(variants.load("int8_static"), "static", Artifact.of(parent), made)


def forest(path: Path) -> Path:
    """One tree of one split."""
    tree = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["logits"],
        domain="ai.onnx.ml",
        n_targets=10,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_hitrates=[1.0, 1.0, 1.0],
        nodes_missing_value_tracks_true=[0, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 1],
        target_weights=[1.0, 2.0],
    )
    return save(path, [tree], {})


def linear(path: Path) -> Path:
    """A linear model: one small product."""
    weight = np.random.default_rng(0).normal(size=(16, 10)).astype(np.float32)
    return save(path, [helper.make_node("Gemm", ["x", "w"], ["logits"])], {"w": weight})


@pytest.mark.parametrize("make", [forest, linear])
def test_int8_gains_nothing_for_trees_and_linear_models(make: Any, tmp_path: Path) -> None:
    parent = make(tmp_path / "model.onnx")
    for kind in ("int8", "int8_static", "int8_weights", "int4"):
        made = passed(kind, parent, tmp_path / kind)
        with pytest.raises(ConversionError, match=r"no node was quantised|gains nothing"):
            check_is_one(variants.load(kind), kind, Artifact.of(parent), made)


def test_a_weight_that_two_products_share_is_quantised_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    constants = {"w": rng.normal(size=(16, 64)).astype(np.float32), "v": rng.normal(size=(64, 10)).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Neg", ["x"], ["y"]),
        helper.make_node("MatMul", ["y", "w"], ["b"]),
        helper.make_node("Mul", ["a", "b"], ["c"]),
        helper.make_node("MatMul", ["c", "v"], ["logits"]),
    ]
    parent = save(tmp_path / "net.onnx", nodes, constants)
    for kind in ("int4", "int8"):
        made = passed(kind, parent, tmp_path / kind)
        names = [tensor.name for tensor in onnx.load(made.artifact.path).graph.initializer]
        assert len([name for name in names if name.startswith("w.") and name.endswith(".weight")]) == 1
        assert "w" not in names and len(made.changed) == 2  # `v` is too small
        assert share(made.artifact.path, parent) < 0.12


def test_an_embedding_that_is_the_last_weight_too(tmp_path: Path) -> None:
    """As language models have it: looked up by row, and multiplied with, the other way round."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("ArgMax", ["x"], ["token"], axis=1, keepdims=0),
        helper.make_node("Gather", ["words", "token"], ["row"], name="look"),
        helper.make_node("Transpose", ["words"], ["other"], perm=[1, 0]),
        helper.make_node("MatMul", ["row", "other"], ["all"], name="head"),
        helper.make_node("Slice", ["all", "from", "to", "axis"], ["logits"]),
    ]
    constants = {name: np.array([n], np.int64) for name, n in {"from": 0, "to": 10, "axis": 1}.items()}
    parent = save(tmp_path / "net.onnx", nodes, {"words": rng.normal(size=(40, 64)).astype(np.float32), **constants})
    for kind in ("int4", "int8", "int8_weights"):
        made = passed(kind, parent, tmp_path / kind)
        assert made.changed == ("look", "head") and share(made.artifact.path, parent) < KINDS[kind]
        assert {"words", "other"}.isdisjoint(_names(made.artifact.path))
        counted = variants.load(kind).count(Artifact.of(parent), made.artifact)
        assert counted["Gather of int8"] == 1 and sum(counted.values()) == 2
        part = passed(kind, parent, tmp_path / f"{kind} part", keep=frozenset({"look"}))
        assert part.changed == ("head",) and "words" in _names(part.artifact.path)


def _names(path: Path) -> set[str]:
    """The names of all constants and of what nodes give."""
    graph = onnx.load(path).graph
    return {each.name for each in graph.initializer} | {name for node in graph.node for name in node.output}


def test_half_precision_goes_around_what_must_stay(tmp_path: Path) -> None:
    """A branch reads a number of the graph around it; scales of `Resize`, a choice, a constant beyond float16's end."""
    then = [helper.make_node("Identity", ["h"], ["branch"])]
    other = [helper.make_node("Neg", ["h"], ["branch"])]
    out = [helper.make_tensor_value_info("branch", TensorProto.FLOAT, None)]
    branches = {
        "then_branch": helper.make_graph(then, "then", [], out),
        "else_branch": helper.make_graph(other, "else", [], out),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("ReduceSum", ["h"], ["sum"], keepdims=0),
        helper.make_node("Less", ["sum", "zero"], ["which"]),
        helper.make_node("If", ["which"], ["chosen"], **branches),
        helper.make_node("Unsqueeze", ["chosen", "axes"], ["image"]),
        helper.make_node("Resize", ["image", "", "scales"], ["twice"], mode="nearest"),
        helper.make_node("Squeeze", ["twice", "axes"], ["flat"]),
        helper.make_node("Add", ["flat", "mask"], ["masked"]),
        helper.make_node("TopK", ["masked", "ten"], ["top", "places"]),
        helper.make_node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["half"], value_float=0.0),
        helper.make_node("Mul", ["numbers", "half"], ["halves"]),
        helper.make_node("Add", ["top", "halves"], ["logits"]),
    ]
    mask = np.zeros(2 * WIDE, np.float32)
    mask[3] = np.finfo(np.float32).min
    constants = {
        "w": np.random.default_rng(0).normal(size=(16, WIDE)).astype(np.float32),
        "zero": np.zeros((), np.float32),
        "axes": np.array([0, 1], np.int64),
        "scales": np.array([1, 1, 1, 2], np.float32),
        "mask": mask,
        "ten": np.array([10], np.int64),
    }
    parent = save(tmp_path / "net.onnx", nodes, constants)
    made = passed("fp16", parent, tmp_path / "made")
    assert share(made.artifact.path, parent) < 1e-3
    assert made.recipe == {"constants beyond the range, cut to its end": 1}
    onnx.checker.check_model(onnx.load(made.artifact.path), full_check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_large_graphs_keep_their_constants_beside_them(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers are those of the same variant in one file; a parent's own external data are read where they are."""
    inside = passed(kind, net(tmp_path / "net.onnx"), tmp_path / "inside")
    proto = onnx.load(tmp_path / "net.onnx")
    (tmp_path / "out").mkdir()
    parent = tmp_path / "out" / "net.onnx"
    onnx.save(proto, parent, save_as_external_data=True, location="numbers.bin", size_threshold=256)
    monkeypatch.setattr(_graph, "LARGE", 1000)
    monkeypatch.setattr(int8_static, "LARGE", 1000)
    monkeypatch.setattr(Artifact, "of", classmethod(_with_data(Artifact.of)))
    outside = passed(kind, parent, tmp_path / "outside")
    assert [file.path for file in outside.artifact.files] == ["model.onnx", "model.onnx.data"]
    table = rows(50, 5)
    assert np.array_equal(answers(inside.artifact.path, table), answers(outside.artifact.path, table))


def _with_data(real: Any) -> Any:
    """The parent of the test with its data file."""

    def of(cls: Any, main: Path, others: Any = (), *more: Any, **named: Any) -> Artifact:
        found: Artifact = real(main, ("numbers.bin",) if main.name == "net.onnx" else others, *more, **named)
        return found

    return of


def test_the_quantisers_own_lines_are_held_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = list(logging.getLogger().handlers)
    passed("int8_static", net(tmp_path / "net.onnx"), tmp_path / "made")
    assert capfd.readouterr() == ("", "") and logging.getLogger().handlers == before
    assert logging.getLogger().manager.disable == logging.NOTSET


def test_an_unknown_kind() -> None:
    with pytest.raises(UsageError, match="no kind of variant 'int3'; there are: bf16, compiled, fp16, int4, int8"):
        variants.load("int3")
    assert all(variants.load(name).name == name for name in variants.names())
