"""ONNX Runtime's LSTM and GRU end their process on a batch without rows: each gets a row more, which no answer has.

Measured with ONNX Runtime 1.28 to 1.32 on the CPU: `terminate called without an active exception`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OPERATORS = ("LSTM", "GRU")
_LENGTHS, _STATES = 4, (5, 6)
"""Places of their inputs."""


def with_a_row_more(model: Any) -> None:
    """Pads the batch of every recurrent node whose batch may be empty, and cuts its outputs."""
    import onnx_ir

    for node in list(onnx_ir.traversal.RecursiveGraphIterator(model.graph)):
        if node.op_type in OPERATORS and not node.domain and _may_be_empty(node):
            _pad(node)


def _may_be_empty(node: Any) -> bool:
    shape = node.inputs[0].shape
    return shape is None or not isinstance(shape[1], int) or shape[1] == 0


def _pad(node: Any) -> None:
    graph = node.graph
    for place in (0, *_STATES, _LENGTHS):
        if place < len(node.inputs) and node.inputs[place] is not None:
            node.replace_input_with(place, _padded(graph, node, node.inputs[place], place == _LENGTHS))
    for output, axis in zip(node.outputs, (2, 1, 1)):
        if output.uses() or output.is_graph_output():
            _cut(graph, node, output, axis)


def _padded(graph: Any, node: Any, value: Any, lengths: bool) -> Any:
    """The value with a row more: of zeros, or of length 1."""
    ends = [0, 1] if lengths else [0, 0, 0, 0, 1, 0]
    fill = _constant(graph, node, [1], "int32") if lengths else None
    inputs = [value, _constant(graph, node, ends), *([fill] if fill is not None else [])]
    return _before(graph, node, "Pad", inputs, value)


def _cut(graph: Any, node: Any, output: Any, axis: int) -> None:
    """Everything that reads the output reads it without its last row."""
    import onnx_ir

    bounds = [_constant(graph, node, each) for each in ([0], [-1], [axis])]
    cut = onnx_ir.node("Slice", [output, *bounds])
    cut.outputs[0].type, cut.outputs[0].shape = output.type, output.shape
    cut.outputs[0].name = f"{output.name}_rows"
    graph.insert_after(node, cut)
    output.replace_all_uses_with(cut.outputs[0], replace_graph_outputs=True)
    cut.replace_input_with(0, output)
    output.shape = None


def _before(graph: Any, node: Any, kind: str, inputs: Sequence[Any], like: Any) -> Any:
    import onnx_ir

    made = onnx_ir.node(kind, list(inputs))
    made.outputs[0].type = like.type
    made.outputs[0].name = f"{like.name}_padded_{node.outputs[0].name}"
    graph.insert_before(node, made)
    return made.outputs[0]


def _constant(graph: Any, node: Any, numbers: Sequence[int], dtype: str = "int64") -> Any:
    import numpy as np
    import onnx_ir

    made = onnx_ir.node("Constant", [], attributes={"value": onnx_ir.tensor(np.array(numbers, dtype))})
    graph.insert_before(node, made)
    return made.outputs[0]
