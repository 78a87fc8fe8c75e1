"""Describes the graph's inputs and outputs for a Triton model repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlpack_toolkit.converters.graph_file import proto_of

from ..spec import Package

TYPES = {
    "BOOL": "TYPE_BOOL", "UINT8": "TYPE_UINT8", "UINT16": "TYPE_UINT16", "UINT32": "TYPE_UINT32",
    "UINT64": "TYPE_UINT64", "INT8": "TYPE_INT8", "INT16": "TYPE_INT16", "INT32": "TYPE_INT32", "INT64": "TYPE_INT64",
    "FLOAT16": "TYPE_FP16", "FLOAT": "TYPE_FP32", "DOUBLE": "TYPE_FP64", "STRING": "TYPE_STRING",
    "BFLOAT16": "TYPE_BF16",
}  # fmt: skip
"""Triton's names of ONNX's element types."""
MOST_ROWS = 4096
Shape = tuple["int | str", ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor in Triton's terms. `dims`: -1 for any size; `reshape`: the graph's own shape, for a tensor without dims.

    Triton has no tensor without a dimension, so such a tensor gets one of size 1 that the graph lacks.
    """

    name: str
    datatype: str
    dims: tuple[int, ...]
    reshape: bool


@dataclass(frozen=True)
class Repository:
    """The content of `config.pbtxt`. `most_rows`: of a batch; 0 where the first dimension is not the batch.

    `merges`: Triton may merge the rows of several requests into one batch. False for a user's ONNX file, whose rows may
    depend on each other.
    """

    most_rows: int
    merges: bool
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def repository(package: Package) -> Repository | None:
    """The values for Triton's configuration; None where the graph has types or outputs that Triton does not support."""
    graph = proto_of(package.model.path).graph
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    every = [*inputs, *graph.output]
    known = [_known(value) for value in every]
    if not inputs or None in known:
        return None
    shapes = [_shape(value, package) for value in every]
    batched = all(shape and isinstance(shape[0], str) and shape[0] == shapes[0][0] for shape in shapes)
    tensors = [
        _tensor(value.name, str(kind), shape[1:] if batched else shape)
        for value, kind, shape in zip(every, known, shapes, strict=True)
    ]
    count = len(inputs)
    merges = batched and not package.signature.takes_tensors
    return Repository(MOST_ROWS if batched else 0, merges, tuple(tensors[:count]), tuple(tensors[count:]))


def _known(value: Any) -> str | None:
    """Triton's name of the element type; None for a value that is no tensor, or of an unsupported type."""
    from onnx import TensorProto

    if not value.type.HasField("tensor_type"):
        return None
    return TYPES.get(TensorProto.DataType.Name(value.type.tensor_type.elem_type))


def _shape(value: Any, package: Package) -> Shape:
    """The graph's own shape, else the signature's; a name for a dimension of any size."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        found = [t.shape for t in (*package.signature.inputs, *package.signature.outputs) if t.in_graph == value.name]
        return found[0] if found else ("N",)
    return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in kind.shape.dim)


def _tensor(name: str, datatype: str, shape: Sequence[int | str]) -> Tensor:
    dims = tuple(d if isinstance(d, int) else -1 for d in shape)
    return Tensor(name, datatype, dims or (1,), not dims)


def text(value: str) -> str:
    """The text quoted for protobuf's text format, with bytes outside plain ASCII in octal."""
    plain = re.compile(r"[ !#-\[\]-~]")
    return '"' + "".join(c if plain.match(c) else "".join(f"\\{b:03o}" for b in c.encode()) for c in value) + '"'
