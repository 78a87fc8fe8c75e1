"""A graph that stops on an empty batch is proved for batches of one row and more."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mlpack_toolkit.converters.spec import Range, Signature, TensorSpec
from mlpack_toolkit.packager.equivalence.graph_alone import begun, check_alone
from mlpack_toolkit.packager.equivalence.probes import Batch, Probes
from mlpack_toolkit.packager.original.worker import Limits
from tests.artifacts import artifact_of

SIGNATURE = Signature("graph", (TensorSpec("x", "float32", ("N", 3)),), (TensorSpec("y", "float32", ("N", 3)),))


def first_row_added() -> bytes:
    """y = x + x[0], which ONNX Runtime does not compute where there is no row."""
    from onnx import TensorProto, helper, numpy_helper

    shape = ["N", 3]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["x", "zero"], ["first"]), helper.make_node("Add", ["x", "first"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(0), "zero")],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return made


def test_a_graph_that_stops_where_a_dimension_is_0_is_offered_for_sizes_from_1(tmp_path: Path) -> None:
    rows = {"x": np.ones((2, 3), np.float32)}
    other = Batch("size 1 of N", {"x": np.ones((1, 3), np.float32)}, {"y": np.full((1, 3), 2, np.float32)})
    kinds = np.array(["example"] * 2, object)
    probes = Probes(rows, kinds, kinds, {"y": 2 * rows["x"]}, {}, axes={"x": 0, "y": 0}, others=(other,))
    graph = artifact_of(first_row_added())
    narrower = check_alone(graph, SIGNATURE, probes, tmp_path, Limits())
    assert narrower.ranges == (Range("N", 1),)
    assert check_alone(graph, narrower, probes, tmp_path, Limits()) == narrower
    (note,) = begun(SIGNATURE, narrower)
    assert note.startswith("The dimension 'N' begins at 1") and not begun(narrower, narrower)
