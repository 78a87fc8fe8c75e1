"""Numbers of 16 bits inside a graph: casts at its inputs, its outputs and the nodes that stay.

Written here and not by ONNX Runtime's `convert_float_to_float16`, which loads all weights at once, knows no bfloat16,
and goes by a list of operators: here the standard's own types say what a node takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._graph import Graph, outer_reads
from .spec import Made, Work

FLOAT, FLOAT16, BFLOAT16 = 1, 10, 16
"""ONNX's numbers for the types."""
TYPES = {FLOAT16: "tensor(float16)", BFLOAT16: "tensor(bfloat16)"}
LARGEST = 65504.0
CHOOSING = ("NonMaxSuppression", "TopK", "RoiAlign", "Range", "CumSum", "Upsample", "EyeLike")
RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
STAYING = frozenset((*CHOOSING, *RANDOM))
"""Operators that choose, count or add up: half the digits change what they find."""


def halved(work: Work, to: int) -> Made:
    """The graph in float16 or bfloat16; inputs, outputs and the nodes to keep have their own types."""
    graph = Graph(work.parent, work.folder)
    half = _Half(graph, to, work.keep)
    half.rewrite()
    recipe = {"constants beyond the range, cut to its end": half.cut} if half.cut else {}
    return Made(graph.write(), tuple(half.changed), recipe)


@dataclass
class _Half:
    """One rewriting. `types`: element types by tensor. `changed`: nodes in 16 bits; `cut`: see `halved`."""

    graph: Graph
    to: int
    keep: frozenset[str]
    changed: list[str] = field(default_factory=list)
    cut: int = 0

    def __post_init__(self) -> None:
        self.types = _types(self.graph.proto)
        self.constants = self.graph.constants()
        self.outputs = {each.name for each in self.graph.proto.graph.output}
        self.inputs = {each.name for each in self.graph.proto.graph.input}
        self._cast: set[str] = set()
        self._made: set[str] = set()

    def rewrite(self) -> None:
        """Casts what the standard lets be cast, node by node."""
        chosen = {node.name: slots for node in self.graph.nodes if (slots := self._slots(node))}
        self.changed = list(chosen)
        givers = {name for node in self.graph.nodes if node.name in chosen for name in _given(node, chosen[node.name])}
        wanted = self.outputs | {n for node in self.graph.nodes for n in self._whole_reads(node, chosen)}
        new = {node.name: list(self._nodes(node, chosen, givers, wanted)) for node in self.graph.nodes}
        self.graph.replace(new)

    def _whole_reads(self, node: Any, chosen: dict[str, _Slots]) -> Iterator[str]:
        """What a node reads in the parent's type."""
        slots = chosen.get(node.name)
        yield from (n for i, n in enumerate(node.input) if slots is None or i not in slots.taken)
        yield from outer_reads(node)

    def _nodes(self, node: Any, chosen: dict[str, _Slots], givers: set[str], wanted: set[str]) -> Iterator[Any]:
        """The node in 16 bits with casts before and after it, or as it is."""
        from onnx import helper

        slots = chosen.get(node.name)
        if slots is None:
            yield node
            return
        for i in slots.taken:
            name = node.input[i]
            if name in self.constants and name not in self.inputs:
                self._constant(name)
            elif name not in givers and name not in self._cast:
                self._cast.add(name)
                yield helper.make_node("Cast", [name], [_half(name)], name=f"{name}.to.half", to=self.to)
        made = type(node)()
        made.CopyFrom(node)
        for i in slots.taken:
            made.input[i] = _half(node.input[i])
        for i in slots.given:
            made.output[i] = _half(node.output[i])
        self._attributes(made)
        yield made
        for i in slots.given:
            name = node.output[i]
            if name in wanted:
                yield helper.make_node("Cast", [_half(name)], [name], name=f"{name}.from.half", to=FLOAT)

    def _constant(self, name: str) -> None:
        if _half(name) not in self._made:
            self._made.add(_half(name))
            self.graph.put(_half(name), self._in_half(self.graph.array(self.constants[name])))

    def _attributes(self, node: Any) -> None:
        """The types that a node names, and the numbers that it holds."""
        from onnx import helper, numpy_helper

        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = self.to
            if attribute.HasField("t") and attribute.t.data_type == FLOAT and not attribute.t.external_data:
                attribute.t.CopyFrom(numpy_helper.from_array(self._in_half(numpy_helper.to_array(attribute.t))))
        if node.op_type == "ConstantOfShape" and not node.attribute:
            zero = numpy_helper.from_array(self._in_half(np.zeros(1, np.float32)))
            node.attribute.append(helper.make_attribute("value", zero))

    def _in_half(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import ml_dtypes

        if self.to == BFLOAT16:
            return values.astype(ml_dtypes.bfloat16)
        beyond = np.isfinite(values) & (np.abs(values) > LARGEST)
        self.cut += int(beyond.any())
        return np.where(beyond, np.sign(values) * np.float32(LARGEST), values).astype(np.float16)

    def _slots(self, node: Any) -> _Slots | None:
        """Which inputs and outputs of a node become 16 bits; None: the node stays as it is."""
        if node.name in self.keep or node.op_type in STAYING or "Sequence" in node.op_type or _has_graphs(node):
            return None
        schema = _schema(self.graph.proto, node)
        known = [n for n in (*node.input, *node.output) if n]
        if schema is None or any(name not in self.types for name in known) or not _can_change(node):
            return None
        variables = {
            each.type_param_str for each in schema.type_constraints if TYPES[self.to] in each.allowed_type_strs
        }
        taken = tuple(self._chosen(node.input, schema.inputs, variables))
        given = tuple(self._chosen(node.output, schema.outputs, variables))
        return _Slots(taken, given) if taken or given else None

    def _chosen(self, names: Any, formal: Any, variables: set[str]) -> Iterator[int]:
        for i, name in enumerate(names):
            if name and self.types[name] == FLOAT and formal[min(i, len(formal) - 1)].type_str in variables:
                yield i


@dataclass(frozen=True)
class _Slots:
    """Positions of the inputs and the outputs of a node that become 16 bits."""

    taken: tuple[int, ...]
    given: tuple[int, ...]


def _half(name: str) -> str:
    return f"{name}.half"


def _given(node: Any, slots: _Slots) -> Iterator[str]:
    return (node.output[i] for i in slots.given)


def _can_change(node: Any) -> bool:
    """Whether the numbers that a `Constant` holds are here, and in a form that has 16 bits."""
    held = (each for each in node.attribute if each.HasField("t"))
    return node.op_type != "Constant" or any(not each.t.external_data for each in held)


def _has_graphs(node: Any) -> bool:
    return any(each.HasField("g") or each.graphs for each in node.attribute)


def _schema(proto: Any, node: Any) -> Any:
    """The standard's entry for a node; None for an operator of another domain."""
    from onnx import defs

    if node.domain not in ("", "ai.onnx"):
        return None
    version = next((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), 1)
    try:
        return defs.get_schema(node.op_type, version, "")
    except defs.SchemaError:
        return None


def _types(proto: Any) -> dict[str, int]:
    """The element types of the tensors of the graph itself, as far as they can be inferred."""
    from onnx import shape_inference

    found = shape_inference.infer_shapes(proto).graph
    types = {each.name: each.data_type for each in found.initializer}
    infos = (*found.value_info, *found.input, *found.output)
    return types | {e.name: e.type.tensor_type.elem_type for e in infos if e.type.HasField("tensor_type")}
