"""Division of whole numbers, which rounds down in Python and towards 0 in ONNX, and buckets."""

from __future__ import annotations

from typing import Any

from .build import Nodes

_WIDE = ("int32", "int64", "float16", "float32", "float64")
"""Types that ONNX Runtime divides on the CPU."""


def _pair(nodes: Nodes) -> tuple[str, str, str, str]:
    """Both numbers in a type that ONNX Runtime divides, that type, and their own. A divisor of 0 stops the graph."""
    own = nodes.numpy(0)
    kind = own if own in _WIDE else "int64"
    x, y = (nodes.inputs[i] if kind == own else nodes.cast(nodes.inputs[i], kind) for i in (0, 1))
    if "int" in kind and not _never_zero(nodes):
        zero = nodes.cast(nodes.op("Equal", y, nodes.const(0, kind)), "int64")
        y = nodes.op("Mul", y, nodes.op("Gather", nodes.const([1], kind), zero, axis=0))
    return x, y, kind, own


def _never_zero(nodes: Nodes) -> bool:
    import numpy as np

    divisor = nodes.node.inputs[1]
    return bool(divisor.is_const() and np.all(divisor.get_tensor_value(as_list=False) != 0))


def _ended(nodes: Nodes, name: str, kind: str, own: str) -> None:
    nodes.become(name if kind == own else nodes.cast(name, own))


def floor_div(graph: Any, node: Any, name: str, args: Any) -> None:
    """`x // y`."""
    nodes = Nodes(graph, node)
    x, y, kind, own = _pair(nodes)
    quotient = nodes.op("Div", x, y)
    if "float" in kind:
        return _ended(nodes, nodes.op("Floor", quotient), kind, own)
    zero = nodes.const(0, kind)
    rest = nodes.op("Not", nodes.op("Equal", nodes.op("Mod", x, y, fmod=0), zero))
    apart = nodes.op("Xor", nodes.op("Less", x, zero), nodes.op("Less", y, zero))
    down = nodes.cast(nodes.op("And", rest, apart), kind)
    return _ended(nodes, nodes.op("Sub", quotient, down), kind, own)


def floor_mod(graph: Any, node: Any, name: str, args: Any) -> None:
    """`x % y`, of the sign of y."""
    nodes = Nodes(graph, node)
    x, y, kind, own = _pair(nodes)
    if "float" in kind:
        rest = nodes.op("Mod", x, y, fmod=1)
        zero = nodes.const(0, kind)
        apart = nodes.op("Xor", nodes.op("Less", rest, zero), nodes.op("Less", y, zero))
        some = nodes.op("Not", nodes.op("Equal", rest, zero))
        return _ended(nodes, nodes.op("Where", nodes.op("And", some, apart), nodes.op("Add", rest, y), rest), kind, own)
    return _ended(nodes, nodes.op("Mod", x, y, fmod=0), kind, own)


def truncate_div(graph: Any, node: Any, name: str, args: Any) -> None:
    """Division towards 0."""
    nodes = Nodes(graph, node)
    x, y, kind, own = _pair(nodes)
    _ended(nodes, nodes.op("Div", x, y), kind, own)


def truncate_mod(graph: Any, node: Any, name: str, args: Any) -> None:
    """What division towards 0 leaves, of the sign of x."""
    nodes = Nodes(graph, node)
    x, y, kind, own = _pair(nodes)
    _ended(nodes, nodes.op("Mod", x, y, fmod=1), kind, own)


def bucketize(graph: Any, node: Any, name: str, args: Any) -> None:
    """How many boundaries are not above each number; of NaN all, as nothing is below it."""
    nodes = Nodes(graph, node)
    kind = "float64" if nodes.numpy(0) == "float64" else "float32"
    import numpy as np

    limits = np.array(node.get_attr("boundaries").floats, np.float32)
    x = nodes.inputs[0] if nodes.numpy(0) == kind else nodes.cast(nodes.inputs[0], kind)
    wide = nodes.op("Reshape", x, nodes.const([-1, 1], "int64"))
    beyond = nodes.cast(nodes.op("Not", nodes.op("Less", wide, nodes.const(limits, kind))), "float32")
    count = nodes.op("MatMul", beyond, nodes.const([[1.0]] * len(limits), "float32"))  # ReduceSum is wrong without rows
    nodes.become(nodes.op("Reshape", nodes.cast(count, "int32"), nodes.op("Shape", x), allowzero=1))


HANDLERS = {
    "FloorDiv": floor_div,
    "FloorMod": floor_mod,
    "TruncateDiv": truncate_div,
    "TruncateMod": truncate_mod,
    "Bucketize": bucketize,
}
