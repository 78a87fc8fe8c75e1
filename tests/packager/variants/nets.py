"""Small deep graphs by hand, rows for them, and a pass run on one without a build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec
from mlpack_toolkit.packager import variants
from mlpack_toolkit.packager.variants.spec import Made, Work

SIGNATURE = Signature("graph", (TensorSpec("x", "float32", ("N", 16)),), (TensorSpec("logits", "float32", ("N", 10)),))
WIDE = 64


def save(path: Path, nodes: list[Any], constants: dict[str, Any], opset: int = 18, **more: Any) -> Path:
    """A graph from `x` [N, 16] to `logits` [N, 10]."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])]
    held = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    made = helper.make_graph(nodes, "net", inputs, outputs, held, **more)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=9), path)
    return path


def net(path: Path, operator: str = "Gemm") -> Path:
    """Three layers of `Gemm` (or `MatMul`), the first two with a `Relu`."""
    rng = np.random.default_rng(0)
    nodes, constants, last, size = [], {}, "x", 16
    for i, width in enumerate((WIDE, WIDE, 10)):
        weight = rng.normal(0, 1.5 / np.sqrt(size), (size, width)).astype(np.float32)
        result = f"g{i}" if i < 2 else "logits"
        if operator == "Gemm":
            constants |= {f"w{i}": weight.T.copy(), f"b{i}": rng.normal(0, 0.1, width).astype(np.float32)}
            given = {"transB": 1, "beta": 0.5, "alpha": 2.0} if i == 1 else {"transB": 1}
            nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [result], name=f"layer{i}", **given))
        else:
            constants[f"w{i}"] = weight
            nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [result], name=f"layer{i}"))
        if i < 2:
            nodes.append(helper.make_node("Relu", [result], [f"r{i}"]))
        last, size = f"r{i}", width
    return save(path, nodes, constants)


def rows(count: int, seed: int) -> Table:
    """Random rows."""
    return {"x": np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)}


def passed(kind: str, path: Path, folder: Path, block: int = 32, keep: frozenset[str] = frozenset()) -> Made:
    """What the pass makes of a graph; calibrated with 2000 rows."""
    folder.mkdir(parents=True)

    def calibration() -> Iterator[dict[str, Any]]:
        yield rows(2000, 7)

    work = Work(Artifact.of(path), SIGNATURE, folder, block, keep, calibration)
    return variants.load(kind).make(work)


def answers(path: Path, table: Table) -> Any:
    """The first output of a graph in ONNX Runtime."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, table)[0]
