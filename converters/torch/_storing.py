"""A large graph beside the model's own files: it refers to the tensors that those have, also to one turned round.

torch's linear layers keep their weights turned round, and the graph turns them back as it is loaded: the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..graph_file import DATA

Stored = Mapping[bytes, "tuple[str, int, int]"]
"""Location, offset and length by the digest of the bytes there."""
LEAST = 4096
"""Bytes of a tensor that is looked for in the model's own files; a smaller one stays in the graph, as a shape must."""


def digest(values: Any) -> bytes:
    """The digest of an array's bytes."""
    import numpy as np

    return hashlib.blake2b(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data, digest_size=16).digest()


def save_beside(model: Any, out: Path, stored: Stored) -> None:
    """Writes the graph; the tensors that no file of the model has go into one of its own."""
    import onnx_ir

    held = [v for v in model.graph.initializers.values() if v.const_value is not None and v.const_value.nbytes >= LEAST]
    sources: dict[tuple[str, int, int], Any] = {}
    rest = [value for value in held if not _as_it_is(value, stored, sources, out.parent)]
    rest = [value for value in rest if not _turned(model.graph, value, stored, sources, out.parent)]
    if rest:
        own = onnx_ir.external_data.convert_tensors_to_external([v.const_value for v in rest], out.parent, DATA)
        for value, tensor in zip(rest, own):
            value.const_value = tensor
    onnx_ir.save(model, out)  # unchecked: ONNX's checker wants the model's own files beside the graph


def _as_it_is(value: Any, stored: Stored, sources: dict[tuple[str, int, int], Any], folder: Path) -> bool:
    """Whether the model's own files have the bytes of the value, which refers to them from now on."""
    place = stored.get(digest(value.const_value.numpy()))
    if place is None:
        return False
    value.const_value = _outside(value.const_value, value.const_value.shape, value.name, place, folder)
    sources[place] = value
    return True


def _outside(like: Any, shape: Any, name: str, place: tuple[str, int, int], folder: Path) -> Any:
    import onnx_ir

    location, offset, length = place
    return onnx_ir.ExternalTensor(location, offset, length, like.dtype, shape=shape, name=name, base_dir=folder)


def _turned(graph: Any, value: Any, stored: Stored, sources: dict[tuple[str, int, int], Any], folder: Path) -> bool:
    """Whether they have it turned round: then a node turns it back."""
    import onnx_ir

    own = value.const_value
    place = stored.get(digest(own.numpy().T)) if len(own.shape) == 2 else None
    if place is None:
        return False
    if place not in sources:
        shape, name = onnx_ir.Shape(tuple(own.shape)[::-1]), f"{value.name}_stored"
        tensor = _outside(own, shape, name, place, folder)
        made = onnx_ir.Value(name=name, shape=shape, type=onnx_ir.TensorType(own.dtype), const_value=tensor)
        graph.register_initializer(made)
        sources[place] = made
    del graph.initializers[value.name]
    node = onnx_ir.node("Transpose", [sources[place]], {"perm": [1, 0]})
    node.outputs[0].shape, node.outputs[0].type = value.shape, onnx_ir.TensorType(own.dtype)
    name, value.name = value.name, f"{value.name}_gone"
    node.outputs[0].name = name
    onnx_ir.convenience.replace_all_uses_with(value, node.outputs[0])
    graph.insert_before(graph[0], node)
    return True
