"""Tables from whole numbers to whole numbers, which tf2onnx has no form for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ...spec import Unsupported
from .build import Nodes


def finding(tables: Mapping[Any, Any]) -> Callable[[Any, Any, str, Any], None]:
    """The translation of a look-up in one of these tables."""

    def find(graph: Any, node: Any, name: str, args: Any) -> None:
        from tf2onnx.custom_opsets.onnx_ml import LookupTableFind

        if Nodes(graph, node).numpy(1) not in ("int32", "int64") or graph.get_dtype(node.output[0]) == _TEXT:
            LookupTableFind.version_8(graph, node, tables)
            return
        _numbers(graph, node, tables)

    return find


_TEXT = 8
"""ONNX's number for texts."""


def _numbers(graph: Any, node: Any, tables: Mapping[Any, Any]) -> None:
    nodes = Nodes(graph, node)
    keys, values = tables[_name_of(node, tables)]
    default = node.inputs[2]
    if not default.is_const():
        raise Unsupported("no ONNX operator computes LookupTableFindV2 with a default that is no constant")
    table = node.inputs[0]
    kind = str(values.dtype)
    wide = nodes.op("Unsqueeze", nodes.cast(nodes.inputs[1], "int64"), nodes.const([-1], "int64"))
    same = nodes.cast(nodes.op("Equal", wide, nodes.const(keys, "int64")), "int32")
    one = nodes.const([1], "int32")
    size = nodes.op("Slice", nodes.op("Shape", same), nodes.const([0], "int64"), nodes.const([-1], "int64"))
    ends = nodes.op("Expand", one, nodes.op("Concat", size, nodes.const([1], "int64"), axis=0))
    place = nodes.op("ArgMax", nodes.op("Concat", same, ends, axis=-1), axis=-1, keepdims=0)
    known = nodes.const([*values.tolist(), default.get_tensor_value(as_list=False).item()], kind)
    nodes.become(nodes.op("Gather", known, place, axis=0))
    if not graph.find_output_consumers(table.output[0]):
        graph.remove_node(table.name)


def _name_of(node: Any, tables: Mapping[Any, Any]) -> Any:
    table = node.inputs[0]
    while table.type == "Identity":
        table = table.inputs[0]
    name = table.get_attr_value("shared_name")
    if name not in tables:
        raise Unsupported(f"the contents of the table that {node.name!r} reads are not known")
    return name
