"""Writes an ONNX file by hand: which digit is a picture of 8 by 8 pixels?

The data are scikit-learn's `load_digits` (1797 pictures). A logistic regression is fitted, and its weights become a
graph of four nodes with only the `onnx` package, as any other exporter might have written it. mlpack takes the file
unchanged.

    python examples/onnx/train.py build/digits
    mlpack build build/digits/digits.onnx --example build/digits/digits.npz -o build/digits/dist
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression


def graph_of(weights: Any, bias: Any) -> onnx.ModelProto:
    """The graph from pixels `[N, 8, 8]` to `digit` `[N]` and `probabilities` `[N, 10]`."""
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
        helper.make_node("ArgMax", ["scores"], ["digit"], axis=1, keepdims=0),
    ]
    constants = {"weights": weights.T, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 8, 8])],
        [
            helper.make_tensor_value_info("digit", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10]),
        ],
        [numpy_helper.from_array(np.ascontiguousarray(v, np.float32), n) for n, v in constants.items()],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


def train(folder: Path) -> tuple[Path, Path]:
    """Writes the model and the example pictures into `folder` and returns their paths."""
    data = load_digits()
    fitted = LogisticRegression(max_iter=200).fit(data.data / 16, data.target)
    model = graph_of(fitted.coef_, fitted.intercept_)
    onnx.checker.check_model(model, full_check=True)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "digits.onnx")
    np.savez(folder / "digits.npz", pixels=(data.images / 16).astype(np.float32)[:200])
    return folder / "digits.onnx", folder / "digits.npz"


if __name__ == "__main__":
    print(*train(Path(sys.argv[1] if len(sys.argv) > 1 else ".")), sep="\n")
