"""The graph as it ships: named as asked, without anything of the machine that made it, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..graph_file import DATA, LARGE
from ..spec import Unsupported
from ._capture import AxisBound, Captured, inputs_of
from ._storing import Stored, save_beside

SCOPES = "pkg.torch.onnx.name_scopes"
"""Where the exporter keeps the path of the module that a node came from."""
SCOPE = "module"
"""Under which key that path ships."""
_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial")


def tidied(model: Any, found: Captured, names: tuple[Sequence[str], Sequence[str]]) -> Any:
    """The graph with the names asked for, of inputs, outputs and free sizes. Raises `Unsupported`."""
    graph = model.graph
    if len(graph.outputs) != len(names[1]):
        raise Unsupported(f"the graph has {len(graph.outputs)} outputs, the module {len(names[1])}")
    _check_pure(graph)
    _check_free(graph, found)
    _single_outputs(graph)
    _rename(graph, names)
    _name_sizes(graph, found)
    for node in _nodes(graph):
        scopes = node.metadata_props.get(SCOPES, "")
        node.metadata_props.clear()
        node.doc_string = None
        path = _path(scopes)
        if path:
            node.metadata_props[SCOPE] = path
    for value in _values(graph):
        value.metadata_props.clear()
        value.doc_string = None
    model.metadata_props.clear()
    graph.metadata_props.clear()
    graph.doc_string = model.doc_string = None
    model.producer_name, model.producer_version = "mlpack", ""
    return model


def _nodes(graph: Any) -> Iterator[Any]:
    """Every node, of subgraphs too."""
    import onnx_ir

    yield from onnx_ir.traversal.RecursiveGraphIterator(graph)


def _values(graph: Any) -> Iterator[Any]:
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in _nodes(graph):
        yield from node.outputs


def _check_pure(graph: Any) -> None:
    for node in _nodes(graph):
        if node.op_type in _RANDOM and not node.domain:
            raise Unsupported(f"the graph draws random numbers ({node.op_type}): switch that off in eval mode")
        if node.op_type == "ScatterND" and node.attributes.get_string("reduction", "none") != "none":
            raise Unsupported(
                "the graph joins numbers at one place with ScatterND, which ONNX Runtime does from several threads at "
                "once, and loses some: write index_add or scatter_add in place of index_put(accumulate=True)"
            )


def _path(scopes: str) -> str:
    """`encoder.layers.0` out of the exporter's list of scopes as text, the last of which is the node itself."""
    found = re.findall(r"'([^']*)'", scopes)
    return found[-2] if len(found) > 1 and not found[-2].startswith("_") else ""


def _single_outputs(graph: Any) -> None:
    """Each output a value of its own: one that is an input, a constant or given twice is copied."""
    import onnx_ir

    seen: set[int] = set()
    for place, value in enumerate(graph.outputs):
        if id(value) in seen or value.producer() is None:
            node = onnx_ir.node("Identity", [value])
            node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
            graph.append(node)
            graph.outputs[place] = node.outputs[0]
        seen.add(id(graph.outputs[place]))


def _rename(graph: Any, names: tuple[Sequence[str], Sequence[str]]) -> None:
    asked = {*names[0], *names[1]}
    outer = {id(v) for v in (*graph.inputs, *graph.outputs)}
    for value in _values(graph):
        if value.name in asked and id(value) not in outer:
            value.name = f"{value.name}_inner"
    for value, name in zip((*graph.inputs, *graph.outputs), (*names[0], *names[1])):
        value.name = name


def _name_sizes(graph: Any, found: Captured) -> None:
    """Free sizes under the names that the user gave, in every shape."""
    import onnx_ir

    names: dict[str, str] = {}
    for node, axes in zip(inputs_of(found.program), found.axes):
        for axis, free in axes.items():
            names[str(node.meta["val"].shape[axis])] = free.name
    for value in _values(graph):
        if value.type is None:
            value.shape = None  # a shape alone breaks a rule of ONNX
        elif value.shape is not None:
            dims = [d if isinstance(d, int) else onnx_ir.SymbolicDim(_named(d.value, names)) for d in value.shape]
            value.shape = onnx_ir.Shape(dims)


def _check_free(graph: Any, found: Captured) -> None:
    """Raises `Unsupported` where translation fixed a size that the program leaves free."""
    for value, name, axes in zip(graph.inputs, found.names, found.axes):
        for axis, free in axes.items():
            if isinstance(value.shape[axis], int):
                raise AxisBound(
                    free.name,
                    f"torch's exporter fixes the size {free.name!r} (axis {axis} of {name!r}) at {value.shape[axis]}: "
                    "fix that axis, or write its steps with operators on whole tensors",
                )


def _named(text: str | None, names: dict[str, str]) -> str | None:
    return None if text is None else re.sub(r"\b[su]\d+\b", lambda m: names.get(m[0], m[0]), str(text))


def write(model: Any, out: Path, stored: Stored | None = None) -> None:
    """Writes the graph; the tensors of a large one go beside it, but for those that the model's own files have.

    `stored`: where those files have the tensors of some bytes, by the digest of these.
    """
    import onnx_ir

    large = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None) > LARGE
    if large and stored:
        save_beside(model, out, stored)
    else:
        onnx_ir.save(model, out, external_data=DATA if large else None)
        check_file(out)


def check_file(out: Path) -> None:
    """Raises `Unsupported` where the file breaks a rule of ONNX."""
    import onnx

    try:
        onnx.checker.check_model(str(out))
    except Exception as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unsupported(f"torch's exporter wrote a graph that breaks a rule of ONNX: {first}") from error
