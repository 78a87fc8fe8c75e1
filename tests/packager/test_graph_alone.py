"""A graph is what its bytes say: none of its numbers is read from a file that happens to lie where a command runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.packager.equivalence.session import Session
from mlpack_toolkit.packager.errors import DamagedError

SIGNATURE = Signature("graph", (TensorSpec("x", "float32", ("N", 2)),), (TensorSpec("y", "float32", ("N", 2)),))
LOCATION = "weights.bin"


def outside() -> TensorProto:
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL, external_data=[]
    )
    for key, value in (("location", LOCATION), ("offset", "0"), ("length", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def graph(form: str) -> bytes:
    """x + w, where w is an initializer, a constant, or an initializer of a branch."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 2]) for n in ("x", "y")]
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=outside()))
    add = helper.make_node("Add", ["x", "w"], ["y"])
    inner = helper.make_node("Add", ["x", "w"], ["z"])
    branch = helper.make_graph(
        [inner], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 2])], [outside()]
    )
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    chosen = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    nodes, held = {
        "initializer": ([add], [outside()]),
        "constant": ([constant, add], []),
        "branch": ([chosen], [yes]),
    }[form]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


@pytest.mark.parametrize("form", ["initializer", "constant", "branch"])
def test_no_file_beside_is_read(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / LOCATION).write_bytes(np.ones(2, np.float32).tobytes())
    with pytest.raises(DamagedError, match="/dev/null"):
        Session(graph(form), SIGNATURE)
