"""Operators on single numbers and texts, and windows, as TensorFlow's kernels compute them on the CPU."""

from __future__ import annotations

from typing import Any, Callable

from .build import Nodes

NEAR = 0.5
"""Around 0, where `exp(x) - 1` and `log(1 + x)` lose digits."""
_TEXT = 8
"""ONNX's number for texts."""


def erfc(graph: Any, node: Any, name: str, args: Any) -> None:
    """1 less the error function."""
    nodes = Nodes(graph, node)
    nodes.become(nodes.op("Sub", nodes.like(1, 0), nodes.op("Erf", nodes.inputs[0])))


def expm1(graph: Any, node: Any, name: str, args: Any) -> None:
    """`exp(x) - 1`; near 0 by the tangent of the half."""
    nodes = Nodes(graph, node)
    x, one = nodes.inputs[0], nodes.like(1, 0)
    half = nodes.op("Tanh", nodes.op("Mul", x, nodes.like(0.5, 0)))
    small = nodes.op("Div", nodes.op("Add", half, half), nodes.op("Sub", one, half))
    near = nodes.op("Less", nodes.op("Abs", x), nodes.like(NEAR, 0))
    nodes.become(nodes.op("Where", near, small, nodes.op("Sub", nodes.op("Exp", x), one)))


def log1p(graph: Any, node: Any, name: str, args: Any) -> None:
    """`log(1 + x)`; near 0 with what 1 + x lost put back."""
    nodes = Nodes(graph, node)
    x, one = nodes.inputs[0], nodes.like(1, 0)
    more = nodes.op("Add", x, one)
    whole = nodes.op("Log", more)
    kept = nodes.op("Div", nodes.op("Mul", whole, x), nodes.op("Sub", more, one))
    small = nodes.op("Where", nodes.op("Equal", more, one), x, kept)
    near = nodes.op("Less", nodes.op("Abs", x), nodes.like(NEAR, 0))
    nodes.become(nodes.op("Where", near, small, whole))


def largest_of_windows(graph: Any, node: Any, name: str, args: Any) -> None:
    """A pool begins at the least finite number and takes what is above it: no NaN, no negative infinity."""
    import numpy as np
    from tf2onnx.onnx_opset.nn import PoolOp

    nodes = Nodes(graph, node)
    if "float" in nodes.numpy(0):
        x, shape, dtype = nodes.inputs[0], nodes.static(0), nodes.dtypes[0]
        least = nodes.like(np.finfo(nodes.numpy(0)).min, 0)
        above = nodes.op("GreaterOrEqual", x, least)
        kept = graph.make_node("Where", [above, x, least], shapes=[shape], dtypes=[dtype])
        graph.replace_input(node, x, kept.output[0], 0)
    kind, node.type = node.type, "MaxPool"
    PoolOp.version_11(graph, node, tf_op=kind)


def extreme_of(kind: str) -> Callable[[Any, Any, str, Any], None]:
    """The largest or the smallest along some axes; NaN where there is one, wherever it stands."""

    def translate(graph: Any, node: Any, name: str, args: Any) -> None:
        nodes = Nodes(graph, node)
        x, keep = nodes.inputs[0], int(nodes.flag("keep_dims"))
        axes = nodes.op("Reshape", nodes.cast(nodes.inputs[1], "int64"), nodes.const([-1], "int64"))
        found = nodes.op(kind, x, axes, keepdims=keep, noop_with_empty_axes=1)
        if "float" in nodes.numpy(0):
            missing = nodes.cast(nodes.op("IsNaN", x), "float32")
            some = nodes.op("ReduceMax", missing, axes, keepdims=keep, noop_with_empty_axes=1)
            found = nodes.op("Where", nodes.cast(some, "bool"), nodes.like(float("nan"), 0), found)
        nodes.become(found)

    return translate


def select(graph: Any, node: Any, name: str, args: Any) -> None:
    """One or the other, of any type; tf2onnx multiplies whole numbers with the condition."""
    nodes = Nodes(graph, node)
    nodes.become(nodes.op("Where", *nodes.inputs))


def equality(negated: bool) -> Callable[[Any, Any, str, Any], None]:
    """Whether two are the same; of texts too, which ONNX compares since opset 19."""

    def translate(graph: Any, node: Any, name: str, args: Any) -> None:
        from tf2onnx.onnx_opset.logical import Equal

        nodes = Nodes(graph, node)
        if nodes.dtypes[0] != _TEXT:
            Equal.version_11(graph, node)
            return
        same = nodes.op("Equal", *nodes.inputs)
        nodes.become(nodes.op("Not", same) if negated else same)

    return translate


HANDLERS = {
    "Erfc": erfc,
    "Expm1": expm1,
    "Log1p": log1p,
    "Equal": equality(False),
    "NotEqual": equality(True),
    "SelectV2": select,
    "Max": extreme_of("ReduceMax"),
    "Min": extreme_of("ReduceMin"),
    "MaxPool": largest_of_windows,
    "MaxPoolV2": largest_of_windows,
    "MaxPool3D": largest_of_windows,
}
