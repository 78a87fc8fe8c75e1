"""The graph as it ships: named as asked, without anything of the machine that made it, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from ..graph_file import DATA, LARGE
from ..spec import TensorSpec, Unsupported
from .purity import place


def check_operators(model: Any, instead: Callable[[str], str]) -> None:
    """Raises `Unsupported` for an operator of TensorFlow that is left: tf2onnx writes it all the same."""
    from onnx import defs

    versions = {each.domain: each.version for each in model.opset_import}
    for node in nodes_of(model.graph):
        if node.domain in ("", "ai.onnx", "ai.onnx.ml"):
            domain = "" if node.domain == "ai.onnx" else node.domain
            if defs.has(node.op_type, domain=domain, max_inclusive_version=versions.get(domain, 1)):
                continue
        raise Unsupported(f"no ONNX operator computes {node.op_type}{place(node.name)}: {instead(node.op_type)}")


def nodes_of(graph: Any) -> Iterator[Any]:
    """Every node, of subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from nodes_of(inner)


def tidied(
    model: Any,
    takes: Mapping[str, str],
    gives: Mapping[str, str],
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
) -> Any:
    """The graph with the names asked for, of inputs, outputs and free sizes. `takes`, `gives`: its tensors by name."""
    from onnx import helper

    graph = model.graph
    tensors = {name: f"in:{name}" for name in takes}
    found = {each.name for each in graph.input}
    lost = [name for name, tensor in tensors.items() if tensor not in found]
    sources = {tensor: name for name, tensor in takes.items()}
    answers = {n: tensors[sources[t]] if t in sources else f"out:{_first(gives, t)}" for n, t in gives.items()}
    for spec in inputs:
        if spec.name in lost:  # the answer does not depend on it
            graph.input.append(_value(helper, f"in:{spec.name}", spec))
    nodes = [*graph.node]
    del graph.node[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    _renamed(graph, {f"in:{t.name}": t.in_graph for t in inputs})
    for spec in outputs:
        tensor = answers[spec.name]
        tensor = next((t.in_graph for t in inputs if f"in:{t.name}" == tensor), tensor)
        graph.node.append(helper.make_node("Identity", [tensor], [spec.name], name=f"answer {spec.name}"))
        graph.output.append(_value(helper, spec.name, spec))
    ordered = [_value(helper, spec.in_graph, spec) for spec in inputs]
    del graph.input[:]
    graph.input.extend(ordered)
    _plain(model)
    return model


def _first(gives: Mapping[str, str], tensor: str) -> str:
    """The name under which the tensor is an output of tf2onnx's graph: that of the last of the same."""
    return [name for name, each in gives.items() if each == tensor][-1]


def _value(helper: Any, name: str, spec: TensorSpec) -> Any:
    import onnx

    types = {"string": "STRING", "float32": "FLOAT", "float64": "DOUBLE"}
    kind = getattr(onnx.TensorProto, types.get(spec.dtype, spec.dtype.upper()))
    return helper.make_tensor_value_info(name, kind, list(spec.shape))


def _renamed(graph: Any, names: Mapping[str, str]) -> None:
    """Inputs under their own names, in subgraphs too; a tensor inside that has such a name gets another."""
    taken = set(names.values())

    def of(name: str) -> str:
        return names.get(name, f"{name}_inner" if name in taken else name)

    for node in nodes_of(graph):
        node.input[:] = [of(each) for each in node.input]
        node.output[:] = [of(each) for each in node.output]
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _rename_values(inner, of)
    _rename_values(graph, of)


def _rename_values(graph: Any, of: Callable[[str], str]) -> None:
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = of(value.name)


_COUNTED = re.compile(r"_frozen_\d+|(_+\d+|:\d+)+(?=_|$)")
"""What tf2onnx, TensorFlow and Keras add to a name, counting through the whole process."""


def _numbered(graph: Any) -> None:
    """Tensors inside under numbers in their order, so that the same model gives the same bytes."""
    kept = {each.name for each in (*graph.input, *graph.output)}
    numbers: dict[str, str] = {}
    times: dict[str, int] = {}

    def of(name: str) -> str:
        return name if not name or name in kept else numbers.setdefault(name, f"t{len(numbers)}")

    def visit(inner: Any) -> None:
        _rename_values(inner, of)
        for node in inner.node:
            plain = "/".join(_COUNTED.sub("", part) for part in node.name.split("/"))
            times[plain] = times.get(plain, 0) + 1
            node.name = plain if times[plain] == 1 else f"{plain} {times[plain]}"
            node.input[:] = [of(each) for each in node.input]
            for attribute in node.attribute:
                for each in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                    visit(each)
            node.output[:] = [of(each) for each in node.output]

    held = sorted(graph.initializer, key=lambda each: (each.data_type, tuple(each.dims), each.raw_data))
    del graph.initializer[:]
    graph.initializer.extend(held)
    visit(graph)


def _plain(model: Any) -> None:
    """Nothing of the machine, and no note."""
    model.producer_name, model.producer_version, model.doc_string = "mlpack", "", ""
    del model.metadata_props[:]
    _numbered(model.graph)
    model.graph.name, model.graph.doc_string = "model", ""
    for node in nodes_of(model.graph):
        node.doc_string = ""


def write(model: Any, out: Path) -> None:
    """Writes the graph; the tensors of a large one go beside it."""
    import onnx

    if model.ByteSize() > LARGE:
        onnx.save(model, str(out), save_as_external_data=True, location=DATA, size_threshold=1024)
    else:
        out.write_bytes(model.SerializeToString(deterministic=True))


def check_file(out: Path) -> None:
    """Raises `Unsupported` where the file breaks a rule of ONNX."""
    import onnx

    try:
        onnx.checker.check_model(str(out))
    except Exception as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise Unsupported(f"tf2onnx wrote a graph that breaks a rule of ONNX: {first}") from error
