"""Inlines a graph that another converter wrote, under fresh names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..spec import Unsupported
from .builder import OPSET, GraphBuilder

if TYPE_CHECKING:
    import onnx


def inline(model: onnx.ModelProto, inputs: Mapping[str, str], graph: GraphBuilder) -> dict[str, str]:
    """Inlines the model and returns the names of its outputs in `graph`; `inputs` maps its inputs to names."""
    from onnx import inliner

    model = inliner.inline_local_functions(model) if model.functions else model
    _refuse(model)
    names = dict(inputs)
    for tensor in model.graph.initializer:
        names[tensor.name] = graph.fresh(tensor.name)
        graph.add_initializer(_named(tensor, names[tensor.name]))
    for node in model.graph.node:
        graph.add_node(_renamed(node, names, graph))
    return {output.name: names[output.name] for output in model.graph.output}


def _refuse(model: onnx.ModelProto) -> None:
    trees = {n.op_type for n in model.graph.node if n.op_type.startswith("TreeEnsemble")}
    if trees:
        raise Unsupported(f"its graph uses {sorted(trees)[0]}, which ai.onnx.ml 5 no longer has")
    if len(model.graph.sparse_initializer):
        raise Unsupported("its graph contains sparse constants")
    if any(o.version > OPSET for o in model.opset_import if o.domain == ""):
        raise Unsupported(f"its graph uses an opset newer than {OPSET}")


def _named(tensor: Any, name: str) -> Any:
    copy = type(tensor)()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy


def _renamed(node: onnx.NodeProto, names: dict[str, str], graph: GraphBuilder) -> Any:
    """Returns a copy of the node, and adds its outputs to `names`."""
    copy = type(node)()
    copy.CopyFrom(node)
    del copy.input[:], copy.output[:]
    copy.input.extend(names[name] if name else "" for name in node.input)
    for attribute in copy.attribute:
        for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            _rename_body(inner, dict(names), graph)
    for name in node.output:
        if name:
            names[name] = graph.fresh(name)
        copy.output.append(names[name] if name else "")
    copy.name = next((name for name in copy.output if name), copy.name)
    return copy


def _rename_body(body: Any, names: dict[str, str], graph: GraphBuilder) -> None:
    """Renames the body of an If or a Loop: its own values get fresh names, captured values the outer names."""
    for value in (*body.input, *body.initializer):
        names[value.name] = graph.fresh(value.name)
        value.name = names[value.name]
    nodes = [_renamed(node, names, graph) for node in body.node]
    del body.node[:]
    body.node.extend(nodes)
    for value in body.output:
        value.name = names[value.name]
    del body.value_info[:]
