"""Reads facts about an ONNX file without its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.graph_file import NoGraph, proto_of

from ..errors import ModelError
from .onnx_files import check_external_data

UNSTATED = "not stated"


def look(path: Path) -> dict[str, Any]:
    """Inputs, outputs and operator sets; does not open external data."""
    beside = check_external_data(path)
    try:
        model = proto_of(path)
    except NoGraph as error:
        raise ModelError(f"{path} is not an ONNX model: {error}") from error
    constants = {c.name for c in model.graph.initializer}
    return {
        "made by": f"{model.producer_name} {model.producer_version}".strip() or UNSTATED,
        "operator sets": [f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import],
        "inputs": [_line(i) for i in model.graph.input if i.name not in constants],
        "outputs": [_line(o) for o in model.graph.output],
        "nodes": len(model.graph.node),
        "external data": [file.name for file in beside],
    }


def _dim(dim: Any) -> str:
    """A dimension's name, else its size; protobuf returns a name that is not UTF-8 as bytes."""
    name = dim.dim_param
    if name:
        return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
    return str(dim.dim_value) if dim.HasField("dim_value") else "?"


def _line(value: Any) -> str:
    import onnx

    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        return f"{value.name}: {value.type.WhichOneof('value')}"
    shape = ", ".join(map(_dim, tensor.shape.dim))
    known = tensor.elem_type in onnx.TensorProto.DataType.values()
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower() if known else f"element type {tensor.elem_type}"
    return f"{value.name}: {kind} [{shape}]"
