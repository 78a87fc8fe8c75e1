"""ONNX Runtime's LSTM and GRU end their process on a batch without rows: it gets one, which no answer has.

Other batches stay as they are, for a row more would double the time of a single one.
Measured with ONNX Runtime 1.28 to 1.32 on the CPU: `terminate called without an active exception`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OPERATORS = ("LSTM", "GRU")
_LENGTHS, _STATES = 4, (5, 6)
"""Places of their inputs."""


def with_a_row_for_none(model: Any) -> None:
    """Pads an empty batch of every recurrent node whose batch may be empty, and cuts its outputs."""
    import onnx_ir

    for node in list(onnx_ir.traversal.RecursiveGraphIterator(model.graph)):
        if node.op_type in OPERATORS and not node.domain and _may_be_empty(node):
            _pad(node)


def _may_be_empty(node: Any) -> bool:
    shape = node.inputs[0].shape
    return shape is None or not isinstance(shape[1], int) or shape[1] == 0


def _pad(node: Any) -> None:
    import onnx_ir

    rows = _before(node, "Shape", [node.inputs[0]], start=1, end=2)
    more = _before(node, "Equal", [rows, _constant(node, [0])])
    more = _before(node, "Cast", [more], to=onnx_ir.DataType.INT64)
    ends = {
        False: _before(node, "Concat", [_constant(node, [0] * 4), more, _constant(node, [0])], axis=0),
        True: _before(node, "Concat", [_constant(node, [0]), more], axis=0),
    }
    for place in (0, *_STATES, _LENGTHS):
        if place < len(node.inputs) and node.inputs[place] is not None:
            lengths = place == _LENGTHS
            value, fill = node.inputs[place], [_constant(node, [1], "int32")] if lengths else []
            node.replace_input_with(place, _before(node, "Pad", [value, ends[lengths], *fill]))
    for output, axis in zip(node.outputs, (2, 1, 1)):
        if output.uses() or output.is_graph_output():
            _cut(node, output, rows, axis)


def _cut(node: Any, output: Any, rows: Any, axis: int) -> None:
    """Everything that reads the output reads so many of its rows."""
    import onnx_ir

    cut = onnx_ir.node("Slice", [output, _constant(node, [0]), rows, _constant(node, [axis])])
    cut.outputs[0].type, cut.outputs[0].shape = output.type, output.shape
    cut.outputs[0].name = f"{output.name}_rows"
    node.graph.insert_after(node, cut)
    output.replace_all_uses_with(cut.outputs[0], replace_graph_outputs=True)
    cut.replace_input_with(0, output)
    output.shape = None


def _before(node: Any, kind: str, inputs: Sequence[Any], **attributes: Any) -> Any:
    """The output of a new node ahead of the recurrent one."""
    import onnx_ir

    made = onnx_ir.node(kind, list(inputs), attributes=attributes)
    node.graph.insert_before(node, made)
    return made.outputs[0]


def _constant(node: Any, numbers: Sequence[int], dtype: str = "int64") -> Any:
    import numpy as np
    import onnx_ir

    return _before(node, "Constant", [], value=onnx_ir.tensor(np.array(numbers, dtype)))
