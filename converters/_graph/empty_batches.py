"""ONNX Runtime ends its process on a batch without rows in some operators: it gets one, which no answer has.

LSTM and GRU, measured with ONNX Runtime 1.28 to 1.32 on the CPU: `terminate called without an active exception`. TopK
of 1.28: a division by 0. Other batches stay as they are, for a row more would double the time of a single one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

RECURRENT = ("LSTM", "GRU")
_LENGTHS, _STATES = 4, (5, 6)
"""Places of their inputs."""


def with_a_row_for_none(model: Any) -> None:
    """Pads an empty batch of every such node whose batch may be empty, and cuts its outputs."""
    import onnx_ir

    for node in list(onnx_ir.traversal.RecursiveGraphIterator(model.graph)):
        if node.domain:
            continue
        if node.op_type in RECURRENT and _may_be_empty(node):
            _pad_steps(node)
        elif node.op_type == "TopK" and node.inputs[0].shape is not None:
            _pad_others(node)


def _may_be_empty(node: Any) -> bool:
    shape = node.inputs[0].shape
    return shape is None or not isinstance(shape[1], int) or shape[1] == 0


def _pad_steps(node: Any) -> None:
    """Of a recurrent node `[steps, batch, ...]`."""
    rows = _before(node, "Shape", [node.inputs[0]], start=1, end=2)
    more = _is_zero(node, rows)
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
        _cut(node, output, rows, [axis])


def _pad_others(node: Any) -> None:
    """Of TopK the free axes but its own: if one of them has no size, each that has none gets one."""
    value, rank = node.inputs[0], len(node.inputs[0].shape)
    own = node.attributes.get_int("axis", -1) % max(rank, 1)
    axes = [axis for axis, size in enumerate(value.shape) if axis != own and (not isinstance(size, int) or size == 0)]
    if not axes:
        return
    sizes = _before(node, "Gather", [_before(node, "Shape", [value]), _constant(node, axes)], axis=0)
    pads = _before(node, "Concat", [_constant(node, [0] * len(axes)), _is_zero(node, sizes)], axis=0)
    node.replace_input_with(0, _before(node, "Pad", [value, pads, None, _constant(node, axes)]))
    for output in node.outputs:
        _cut(node, output, sizes, axes)


def _is_zero(node: Any, sizes: Any) -> Any:
    """1 for each size that is 0, and 0 for others."""
    import onnx_ir

    empty = _before(node, "Equal", [sizes, _constant(node, [0])])
    return _before(node, "Cast", [empty], to=onnx_ir.DataType.INT64)


def _cut(node: Any, output: Any, sizes: Any, axes: Sequence[int]) -> None:
    """Everything that reads the output reads it at these sizes."""
    import onnx_ir

    shape, output.shape = output.shape, None
    if not output.uses() and not output.is_graph_output():
        return
    cut = onnx_ir.node("Slice", [output, _constant(node, [0] * len(axes)), sizes, _constant(node, axes)])
    cut.outputs[0].type, cut.outputs[0].shape = output.type, shape
    cut.outputs[0].name = f"{output.name}_rows"
    node.graph.insert_after(node, cut)
    output.replace_all_uses_with(cut.outputs[0], replace_graph_outputs=True)
    cut.replace_input_with(0, output)


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
