"""What an ONNX file says of itself: its tensors, the maps that ZipMap makes of probabilities, and its versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..graph_file import NoGraph, proto_of
from ..spec import ONNX_RUNTIME_FLOOR, Dim, Scalar, TensorSpec, Unreadable, Unsupported

NEWEST = {"": 26, "ai.onnx.ml": 5}
"""The newest operator sets that ONNX Runtime 1.28 loads: they belong to `ONNX_RUNTIME_FLOOR`."""
NEWEST_IR = 13
MOST_NODES = 1_000_000

_FLOOR = ".".join(map(str, ONNX_RUNTIME_FLOOR))

_BATCH = re.compile(r"batch|batch_?size", re.IGNORECASE)
"""How exporters call the dimension of the batch."""
_DTYPES = {
    **{
        "FLOAT": "float32",
        "DOUBLE": "float64",
        "FLOAT16": "float16",
        "BFLOAT16": "bfloat16",
        "BOOL": "bool",
        "STRING": "string",
    },
    **{f"{sign}INT{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True)
class Output:
    """One output. `name`: in the file. `ships_as`: the tensor's name in the graph that ships.

    `source`, `classes`: what a ZipMap reads and the keys of its maps; empty for a plain tensor. `shape`: as the file
    declares it; None where it does not.
    """

    name: str
    ships_as: str
    source: str = ""
    classes: tuple[Scalar, ...] = ()
    shape: tuple[Dim, ...] | None = None


def read(path: Path) -> Any:
    """The `ModelProto` of a file, of a large one without its numbers; raises `Unreadable`."""
    try:
        proto = proto_of(path)
    except NoGraph as error:
        raise Unreadable(f"{path.name} is not an ONNX model: {error}") from error
    if not proto.graph.output:
        raise Unreadable(f"{path.name} holds no graph: it is not an ONNX model, or is cut short")
    return proto


def check_versions(proto: Any) -> None:
    """Raises `Unsupported` where the file is newer than the oldest ONNX Runtime that it would ship to."""
    way = "export it anew for opset 21 and IR version 10, or convert it with onnx.version_converter"
    if proto.ir_version > NEWEST_IR:
        raise Unsupported(
            f"the file has IR version {proto.ir_version}, ONNX Runtime {_FLOOR} loads {NEWEST_IR} at most: {way}"
        )
    for opset in proto.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        if opset.version > NEWEST.get(domain, opset.version):
            name = f"{domain or 'ai.onnx'} {opset.version}"
            raise Unsupported(f"the file has opset {name}, ONNX Runtime {_FLOOR} loads {NEWEST[domain]} at most: {way}")


def check_functions(proto: Any) -> None:
    """Raises `Unsupported` where functions call each other in a ring, or grow to more nodes than anyone can load."""
    own = {(f.domain, f.name): f for f in proto.functions}
    sizes: dict[tuple[str, str], int] = {}
    todo = [(key, False) for key in own]
    under_way = set()
    while todo:
        key, called_are_known = todo.pop()
        if called_are_known:
            sizes[key] = sum(sizes.get(call, 1) for call in _calls(own[key]))
            if sizes[key] > MOST_NODES:
                raise Unsupported(f"the function {key[1]!r} grows to more than {MOST_NODES} nodes: inline fewer calls")
            under_way.discard(key)
        elif key not in sizes:
            called = set(_calls(own[key])) & own.keys()
            if called & (under_way | {key}):
                raise Unsupported(f"the function {key[1]!r} calls itself, which no runtime of ONNX can load")
            under_way.add(key)
            todo += [(key, True), *((each, False) for each in called)]


def _calls(body: Any) -> Iterator[tuple[str, str]]:
    """Domain and operator of every node of a function or graph, those of its subgraphs too."""
    for node in body.node:
        yield node.domain, node.op_type
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _calls(inner)


def inputs(proto: Any, batch: str) -> tuple[TensorSpec, ...]:
    """The inputs that a caller must give, named and typed as in the file; `N` for what it calls `batch`."""
    wanted = _wanted(proto)
    if not wanted:
        raise Unsupported("the graph has no inputs: there is nothing to predict from")
    return tuple(_input(info, batch) for info in wanted)


def _wanted(proto: Any) -> list[Any]:
    given = {t.name for t in proto.graph.initializer} | {t.values.name for t in proto.graph.sparse_initializer}
    return [i for i in proto.graph.input if i.name not in given]


def batch_names(proto: Any) -> tuple[str, ...]:
    """The file's own names of dimensions that may be the batch, the likeliest first.

    Any dimension that is called a batch; then the first dimension of an input; where there is one of these, then any
    other. One that an input has twice is none.
    """
    shapes = [[d.dim_param for d in info.type.tensor_type.shape.dim] for info in _wanted(proto)]
    first = [shape[0] for shape in shapes if shape and shape[0]]
    every = [name for shape in shapes for name in shape if name]
    likely = [*filter(_BATCH.fullmatch, every), *first]
    names = dict.fromkeys([*likely, *(every if likely else ())])
    return tuple(name for name in names if all(shape.count(name) < 2 for shape in shapes))


def _input(info: Any, batch: str) -> TensorSpec:
    kind = info.type.WhichOneof("value")
    if kind is None:
        raise Unsupported(f"the input {info.name!r} has no type: declare its elements and dimensions")
    if kind != "tensor_type":
        raise Unsupported(f"the input {info.name!r} is a {str(kind).replace('_type', '')}, not a tensor")
    dtype = _dtype(info)
    if not info.type.tensor_type.HasField("shape"):
        raise Unsupported(
            f"the input {info.name!r} has no declared shape: declare its dimensions, symbolic ones by name"
        )
    dims = info.type.tensor_type.shape.dim
    shape = tuple(_dim(d, batch, info.name, axis) for axis, d in enumerate(dims))
    return TensorSpec(info.name, dtype, shape)


def _dtype(info: Any) -> str:
    from onnx import TensorProto

    number = info.type.tensor_type.elem_type
    if number not in TensorProto.DataType.values():
        raise Unsupported(f"{info.name!r} has the element type {number}, which ONNX does not have")
    name = TensorProto.DataType.Name(number)
    if name not in _DTYPES:
        raise Unsupported(f"{info.name!r} is a tensor of {name}, which numpy has no type for: cast it in the graph")
    return _DTYPES[name]


def _dim(dim: Any, batch: str, name: str, axis: int) -> Dim:
    """A number, `N` for the batch, the file's own name, or a made-up one (a number below 0 says "any" too)."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    own = str(dim.dim_param)
    if not own:
        return f"{name}_{axis}" if axis else "N"
    if own == batch:
        return "N"
    return f"{own}_" if own == "N" else own


def outputs(proto: Any, batch: str) -> tuple[Output, ...]:
    """Every output of the file, a ZipMap's as the tensor behind it; raises `Unsupported` for what is no tensor."""
    maps = {n.output[0]: n for n in proto.graph.node if n.op_type == "ZipMap" and n.domain == "ai.onnx.ml"}
    zipped = [o.name for o in proto.graph.output if o.name in maps]
    alone = len(zipped) == 1 and _is_free("probabilities", maps[zipped[0]].input[0], proto)
    return tuple(_output(info, maps.get(info.name), alone, batch) for info in proto.graph.output)


def _is_free(name: str, source: str, proto: Any) -> bool:
    return name == source or name not in set(_names(proto.graph))


def _names(graph: Any) -> Iterator[str]:
    for values in (graph.input, graph.output, graph.initializer):
        yield from (v.name for v in values)
    for node in graph.node:
        yield from node.output


def _output(info: Any, zipmap: Any, alone: bool, batch: str) -> Output:
    if zipmap is not None:
        return Output(info.name, "probabilities" if alone else info.name, zipmap.input[0], _class_labels(zipmap))
    kind = info.type.WhichOneof("value")
    if kind not in ("tensor_type", None):
        raise Unsupported(
            f"the output {info.name!r} is a {str(kind).replace('_type', '')}, not a tensor: export tensors"
        )
    if kind is None:
        return Output(info.name, info.name)
    _dtype(info)
    dims = info.type.tensor_type.shape.dim
    declared = info.type.tensor_type.HasField("shape")
    shape = tuple(_dim(d, batch, info.name, axis) for axis, d in enumerate(dims)) if declared else None
    return Output(info.name, info.name, shape=shape)


def _class_labels(zipmap: Any) -> tuple[Scalar, ...]:
    attributes = {a.name: a for a in zipmap.attribute}
    if "classlabels_strings" in attributes:
        return tuple(s.decode() for s in attributes["classlabels_strings"].strings)
    return tuple(int(i) for i in attributes["classlabels_int64s"].ints)


def without_maps(proto: Any, found: tuple[Output, ...]) -> None:
    """Takes every ZipMap out of `proto`: its output becomes the tensor `[N, classes]` that it was made from."""
    from onnx import TensorProto, helper

    for output in found:
        if not output.source:
            continue
        place = next(i for i, n in enumerate(proto.graph.node) if output.name in n.output)
        del proto.graph.node[place]
        if output.ships_as != output.source:
            name = f"{output.ships_as}_tensor"
            proto.graph.node.append(helper.make_node("Identity", [output.source], [output.ships_as], name=name))
        info = next(o for o in proto.graph.output if o.name == output.name)
        info.CopyFrom(helper.make_tensor_value_info(output.ships_as, TensorProto.FLOAT, ["N", len(output.classes)]))


def moved(proto: Any, folder: str) -> None:
    """Puts `folder` before the place of every tensor whose numbers are in another file."""
    bodies = [proto.graph, *proto.functions]
    for tensor in (tensor for body in bodies for tensor in _tensors(body)):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = folder + entry.value


def _tensors(body: Any) -> Iterator[Any]:
    """The tensors of a graph or a function, those of its subgraphs too."""
    yield from getattr(body, "initializer", ())
    for sparse in getattr(body, "sparse_initializer", ()):
        yield from (sparse.values, sparse.indices)
    attributes = [*getattr(body, "attribute_proto", ()), *(at for node in body.node for at in node.attribute)]
    for attribute in attributes:
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)


def begins_a_model(head: bytes) -> bool:
    """Whether `head` reads as the start of a serialised ModelProto: its known fields, in order, up to the graph."""
    position, versions = 0, 0
    while position < len(head):
        tag, position = _varint(head, position)
        if tag in (0x3A, 0x42):  # the graph, the operator sets
            return versions == 1
        if tag in (0x08, 0x28):  # the IR version, the model's version
            value, position = _varint(head, position)
            versions += tag == 0x08 and 0 < value < 100
        elif tag in (0x12, 0x1A, 0x22, 0x32):  # producer, its version, domain, documentation
            length, position = _varint(head, position)
            if not head[position : position + length].isascii() and tag != 0x32:
                return False
            position += length
        else:
            return False
    return False


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, position
