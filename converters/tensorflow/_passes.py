"""Changes to tf2onnx's graph as a whole: the opset, and empty batches."""

from __future__ import annotations

from math import prod
from typing import Any

from ._shipping import nodes_of

TEXTS = 19
"""The first opset whose Equal takes texts; nothing that tf2onnx writes means something else there."""


def with_texts_compared(model: Any, compared: bool) -> None:
    """The opset that compares texts, where the graph does."""
    for each in model.opset_import:
        if compared and each.domain in ("", "ai.onnx"):
            each.version = max(each.version, TEXTS)


def with_a_row_for_none(model: Any) -> Any:
    """The graph in which no recurrent operator and no TopK gets an empty batch."""
    import onnx_ir

    from .._graph.empty_batches import RECURRENT
    from .._graph.empty_batches import with_a_row_for_none as padded

    if not any(node.op_type in (*RECURRENT, "TopK") for node in nodes_of(model.graph)):
        return model
    inner = onnx_ir.serde.deserialize_model(model)
    padded(inner)
    return onnx_ir.serde.serialize_model(inner)


def with_sizes_computed(model: Any) -> None:
    """Reshapes that keep the first size and compute another one: without rows, ONNX Runtime cannot compute it.

    Where all other sizes are known, that one is too, and the first is computed in its place.
    """
    from onnx import numpy_helper, shape_inference

    inferred = shape_inference.infer_shapes(model).graph
    shapes = {v.name: _sizes(v) for v in (*inferred.value_info, *inferred.input)}
    held = {each.name: each for each in model.graph.initializer}
    constants = {n.output[0]: n.attribute[0].t for n in model.graph.node if n.op_type == "Constant" and n.attribute}
    for number, node in enumerate(model.graph.node):
        shape = held.get(node.input[1]) or constants.get(node.input[1]) if node.op_type == "Reshape" else None
        given = shapes.get(node.input[0]) if shape is not None else None
        if given is None or any(size is None for size in given[1:]):
            continue
        wanted = numpy_helper.to_array(shape).tolist()
        if wanted[:1] == [0] and wanted.count(-1) == 1 and wanted.count(0) == 1:
            rest = prod(size for size in given[1:] if size is not None)
            wanted[wanted.index(-1)] = rest // prod(size for size in wanted if size > 0)
            name = f"sizes {number}"
            model.graph.initializer.append(numpy_helper.from_array(_whole([-1, *wanted[1:]]), name))
            node.input[1] = name


def _whole(values: list[int]) -> Any:
    import numpy as np

    return np.array(values, np.int64)


def _sizes(value: Any) -> list[int | None] | None:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
