"""The blocks of a module in the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters.graph_file import proto_of
from mlpack_toolkit.packager.bundle.architecture import MOST, Block, blocks_of, grown, runs_of


def blocks(graph: Path) -> tuple[Block, ...]:
    model = proto_of(graph).graph
    return blocks_of(model, runs_of(model))


def _graph(paths: list[str], folder: Path) -> Path:
    """A chain of products, each of the module at its path."""
    names = ["x", *(f"h{i}" for i in range(len(paths)))]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(len(paths))]
    for node, path in zip(nodes, paths, strict=True):
        if path:
            node.metadata_props.add(key="module", value=path)
    shape = ["N", 2]
    weights = [numpy_helper.from_array(np.ones((2, 2), np.float32), f"w{i}") for i in range(len(paths))]
    known = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names]
    graph = helper.make_graph(nodes, "g", known[:1], known[-1:], weights, value_info=known[1:-1])
    onnx.save(helper.make_model(graph), folder / "model.onnx")
    return folder / "model.onnx"


def test_nodes_of_one_module_are_a_block(tmp_path: Path) -> None:
    found = blocks(_graph(["body.0", "body.0", "", "body.1", "head"], tmp_path))
    assert found == (
        Block("body.0", "MatMul × 2", 8, "N × 2"),
        Block("body.1", "MatMul", 4, "N × 2"),
        Block("head", "MatMul", 4, "N × 2"),
    )


def test_a_deep_module_is_shown_by_its_upper_parts(tmp_path: Path) -> None:
    found = blocks(_graph([f"stage{i // 30}.layer{i}" for i in range(90)], tmp_path))
    assert [block.path for block in found] == ["stage0", "stage1", "stage2"]
    assert sum(block.parameters for block in found) == 360


def test_a_flat_module_of_many_parts_is_cut(tmp_path: Path) -> None:
    assert len(blocks(_graph([f"part{i}" for i in range(MOST + 5)], tmp_path))) == MOST


def test_a_graph_that_does_not_say_has_none(tmp_path: Path) -> None:
    assert blocks(_graph(["", ""], tmp_path)) == ()


def test_the_block_that_adds_most_to_the_error_is_named() -> None:
    def block(path: str, error: float | None, before: float = 0.0) -> Block:
        return Block(path, "", 0, "", error, before)

    assert grown([block("a", 0.0), block("b", None), block("c", 2e-6, 1e-6), block("d", 9e-6, 8.5e-6)]) == block(
        "c", 2e-6, 1e-6
    )
    assert grown([block("a", 1e-7, 2e-7), block("b", None)]) is None
