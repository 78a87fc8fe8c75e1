"""Graphs that a stranger could put into a bundle of flowers: its signature is kept, what happens inside is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.seal import seal

NEVER = "a loop without an end"
LONG = "a node that takes minutes"
SLOW = "constants that take minutes to fold"


def put_graph(bundle: Path, kind: str) -> None:
    """Replaces the graph of the bundle, and lets every digest agree."""
    (bundle / "model" / "model.onnx").write_bytes(hostile(kind))
    seal(bundle)


def hostile(kind: str) -> bytes:
    """A graph from `X` of `[N, 4]` to a label and three probabilities that does what its kind says first."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = {NEVER: _never, LONG: _long, SLOW: _slow}[kind]()
    nodes += [
        helper.make_node("Slice", ["X", "zero", "three", "one"], ["cut"]),
        helper.make_node("Add", ["cut", "late"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    constants |= {"zero": np.array([0]), "three": np.array([3]), "one": np.array([1])}
    info = helper.make_tensor_value_info
    inputs = [info("X", TensorProto.FLOAT, ["N", 4])]
    outputs = [info("label", TensorProto.INT64, ["N"]), info("probabilities", TensorProto.FLOAT, ["N", 3])]
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "hostile", inputs, outputs, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _never() -> tuple[list[Any], dict[str, Any]]:
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    shapes = [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("v", TensorProto.FLOAT, [])]
    out = [info("on", TensorProto.BOOL, []), info("w", TensorProto.FLOAT, [])]
    inner = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Mul", ["v", "v"], ["w"])]
    body = helper.make_graph(inner, "body", shapes, out)
    nodes = [
        helper.make_node("ReduceMax", ["X"], ["first"], keepdims=0),
        helper.make_node("Loop", ["", "true", "first"], ["late"], body=body),
    ]
    return nodes, {"true": np.array(True)}


def _long() -> tuple[list[Any], dict[str, Any]]:
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMax", ["X"], ["first"], keepdims=0),
        helper.make_node("Expand", ["first", "size"], ["big"]),
        helper.make_node("MatMul", ["big", "big"], ["bigger"]),
        helper.make_node("ReduceMax", ["bigger"], ["late"], keepdims=0),
    ]
    return nodes, {"size": np.array([12000, 12000])}


def _slow() -> tuple[list[Any], dict[str, Any]]:
    from onnx import helper, numpy_helper

    ones = numpy_helper.from_array(np.array([1.0], np.float32))
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["big"], value=ones),
        helper.make_node("MatMul", ["big", "big"], ["bigger"]),
        helper.make_node("ReduceMax", ["bigger"], ["late"], keepdims=0),
    ]
    return nodes, {"size": np.array([12000, 12000])}
