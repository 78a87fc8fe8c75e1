"""Tables that a graph looks rows up in, such as embeddings: 8 bits with a scale for each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import proto_of

from ._graph import Graph
from ._integers import LEAST, scaled

MOST = 127
"""The largest magnitude of a number of a table."""


def looked_up(graph: Graph, keep: frozenset[str]) -> dict[str, list[Any]]:
    """By name of a `Gather` of whole rows of a constant table, the nodes in its place."""
    return {node.name: _nodes(graph, node, table) for node, table in _lookups(graph) if node.name not in keep}


def _lookups(graph: Graph) -> Iterator[tuple[Any, Any]]:
    import onnx

    constants = {n: t for n, t in graph.constants().items() if t.data_type == onnx.TensorProto.FLOAT}
    given = {each.name for each in graph.proto.graph.input}
    for node in graph.nodes:
        if node.op_type != "Gather" or node.domain not in ("", "ai.onnx") or node.input[0] in given:
            continue
        table = constants.get(node.input[0])
        if table is None or len(table.dims) != 2 or np.prod(table.dims) < LEAST:
            continue
        if all(each.name != "axis" or each.i == 0 for each in node.attribute):
            yield node, table


def _nodes(graph: Graph, node: Any, table: Any) -> list[Any]:
    from onnx import TensorProto, helper

    stem = f"{table.name}.rows.q8"
    if f"{stem}.weight" not in graph.constants():
        whole, scale = scaled(np.asarray(graph.array(table), np.float32), 1, MOST)
        graph.put(f"{stem}.weight", whole)
        graph.put(f"{stem}.scale", scale)
    name, index = node.name, node.input[1]
    integers, real, scale_of = (f"{name}.{part}" for part in ("integers", "reals", "scale"))
    return [
        helper.make_node("Gather", [f"{stem}.weight", index], [integers], name=name),
        helper.make_node("Cast", [integers], [real], name=f"{name}.cast", to=TensorProto.FLOAT),
        helper.make_node("Gather", [f"{stem}.scale", index], [scale_of], name=f"{name}.scales"),
        helper.make_node("Mul", [real, scale_of], [node.output[0]], name=f"{name}.result"),
    ]


def tables_of(artifact: Artifact) -> Mapping[str, int]:
    """How many lookups of the written file are in a table of int8."""
    import onnx

    graph = proto_of(artifact.path).graph
    tables = {each.name for each in graph.initializer if each.data_type == onnx.TensorProto.INT8}
    count = sum(node.op_type == "Gather" and node.input[0] in tables for node in graph.node)
    return {"Gather of int8": count} if count else {}
