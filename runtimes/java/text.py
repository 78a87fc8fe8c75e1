"""Makes Java's copy of a graph, in which text survives ONNX Runtime's Java binding.

The binding garbles U+0000 and characters beyond U+FFFF. The copy writes them as U+E0FE and six hexadecimal digits;
the Java class escapes its inputs and unescapes its outputs in the same way. That is faithful where the graph only
moves text and compares it for equality; where it looks inside, the Java class refuses such text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.graph_file import LARGE, locations, proto_of
from mlpack_toolkit.converters.spec import Unsupported

MARK = "\ue0fe"
PREPARED = "mlpack.java.text"

_MOVES: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(("Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Slice", "Split"), (0,)),
    **dict.fromkeys(("Expand", "Tile", "Gather", "GatherElements", "GatherND", "ArrayFeatureExtractor"), (0,)),
    **dict.fromkeys(("Compress", "Cast", "CategoryMapper"), (0,)),
    **dict.fromkeys(("ScatterElements", "ScatterND"), (0, 2)),
    "Where": (1, 2),
    "Concat": None,
}
"""Operators whose output contains text of these inputs (None: of all)."""
_APART = ("Shape", "Size", "Constant", "LabelEncoder", "OneHotEncoder", "Equal", "If", "ConstantOfShape")
_CLASSIFIERS = ("LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
_OF_INPUT = ("keys_strings", "keys_tensor", "cats_strings")


@dataclass(frozen=True)
class JavaGraph:
    """The copy, `model`: empty where no text in the graph needs another form.

    `escaped`: its inputs and outputs, by the copy's names, whose text travels escaped.
    """

    model: bytes
    rewritten: bool
    escaped: frozenset[str]


def escape(text: str) -> str:
    """The text escaped for Java's ONNX Runtime; most text is unchanged."""
    return "".join(f"{MARK}{ord(c):06X}" if c == "\0" or c == MARK or c > "\uffff" else c for c in text)


def java_graph(model: Path) -> JavaGraph:
    """The copy of a graph, with no bytes where it holds no such text.

    Raises `Unsupported` when a text that Java cannot read could come out of it, or such text is in a large graph.
    """
    from onnx import inliner

    proto = proto_of(model)
    if len(proto.functions):
        proto = inliner.inline_local_functions(proto)
    flow = _Flow()
    flow.read(proto.graph)
    flow.close()
    names = [v.name for v in (*proto.graph.input, *proto.graph.output)]
    flow.refuse_unreadable([v.name for v in proto.graph.output])
    escaped = frozenset(escape(n) for n in names if not flow.is_opened(n))
    changed = _rewrite(flow)
    for name in (n for n in names if escape(n) != n):
        _rename(proto, name)
        changed = True
    if not changed:
        return JavaGraph(b"", False, escaped)
    if model.stat().st_size >= LARGE or locations(model):
        raise Unsupported(
            "the graph is large and holds text beyond U+FFFF, which ONNX Runtime's Java binding garbles; leave such "
            "characters out of the model, or build without the target java"
        )
    proto.metadata_props.add(key=PREPARED, value="escaped")
    return JavaGraph(proto.SerializeToString(deterministic=True), True, escaped)


@dataclass
class _Texts:
    """Text in the graph: the value that it flows into, and its place."""

    value: str
    holder: Any
    attribute: str

    def get(self) -> list[bytes]:
        held = getattr(self.holder, self.attribute)
        return [held] if isinstance(held, bytes) else list(held)

    def put(self, texts: list[bytes]) -> None:
        if self.attribute == "s":
            self.holder.s = texts[0]
        else:
            getattr(self.holder, self.attribute)[:] = texts

    @property
    def needs_escape(self) -> bool:
        return any(_escape_bytes(t) != t for t in self.get())


def _escape_bytes(text: bytes) -> bytes:
    try:
        return escape(text.decode()).encode()
    except UnicodeDecodeError as e:
        raise Unsupported(f"the graph holds text that is not UTF-8, which Java cannot read: {text!r}") from e


@dataclass
class _Flow:
    """Tracks which values of a graph share text, and which of them the graph looks into."""

    parent: dict[str, str] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    texts: list[_Texts] = field(default_factory=list)

    def root(self, name: str) -> str:
        end = name
        while end in self.parent:
            end = self.parent[end]
        while name != end:
            self.parent[name], name = end, self.parent[name]
        return end

    def unite(self, names: list[str]) -> None:
        roots = sorted({self.root(n) for n in names if n})
        for other in roots[1:]:
            self.parent[other] = roots[0]

    def is_opened(self, name: str) -> bool:
        return self.root(name) in self.opened

    def close(self) -> None:
        """After reading: keeps one name per group of values that the graph looks into."""
        self.opened = {self.root(n) for n in self.opened}

    def read(self, graph: Any) -> None:
        for tensor in graph.initializer:
            self.texts.append(_Texts(tensor.name, tensor, "string_data"))
        for node in graph.node:
            self.read_node(node)

    def read_node(self, node: Any) -> None:
        op = node.op_type if node.domain in ("", "ai.onnx", "ai.onnx.ml") else ""
        if op in _MOVES:
            places = _MOVES[op]
            moved = [n for i, n in enumerate(node.input) if places is None or i in places]
            self.unite([*moved, *node.output])
        elif op == "Equal":
            self.unite(list(node.input))
        elif op not in _APART and op not in _CLASSIFIERS:
            self.open(node)
        self.read_attributes(node, op)

    def open(self, node: Any) -> None:
        """Marks all values of an operator that may look inside text, its subgraphs' values too."""
        self.unite([*node.input, *node.output])
        self.opened.update(n for n in (*node.input, *node.output) if n)
        for graph in _subgraphs(node):
            for inner in graph.node:
                self.open(inner)
                self.unite([*node.output, *inner.input, *inner.output])

    def read_attributes(self, node: Any, op: str) -> None:
        for attribute in node.attribute:
            value = next((n for n in node.output if n), "")
            if attribute.name in _OF_INPUT and op in ("LabelEncoder", "OneHotEncoder"):
                value = node.input[0]
            for holder, name in _holders(attribute, op):
                self.texts.append(_Texts(value, holder, name))
        for graph in _subgraphs(node):
            self.read(graph)
            if op == "If":
                for inner, outer in zip(graph.output, node.output, strict=True):
                    self.unite([inner.name, outer])

    def refuse_unreadable(self, outputs: list[str]) -> None:
        """Raises `Unsupported` where a part of the graph that looks inside text may output text unreadable in Java."""
        ends = {self.root(n) for n in outputs}
        for texts in self.texts:
            if self.is_opened(texts.value) and self.root(texts.value) in ends and texts.needs_escape:
                raise Unsupported(
                    "the graph can output text beyond U+FFFF that it composes itself, which ONNX Runtime's Java"
                    " binding garbles; leave such characters out of the model, or build without the target java"
                )


def _holders(attribute: Any, op: str) -> Iterator[tuple[Any, str]]:
    """The places of text in an attribute that is data, unlike settings such as `post_transform`."""
    if attribute.strings:
        yield attribute, "strings"
    if attribute.name in ("value_string", "default_string") or (op not in _MOVES and op not in _APART + _CLASSIFIERS):
        yield attribute, "s"
    if attribute.HasField("t") and attribute.t.string_data:
        yield attribute.t, "string_data"


def _subgraphs(node: Any) -> list[Any]:
    return [g for a in node.attribute for g in ([a.g] if a.HasField("g") else []) + list(a.graphs)]


def _rewrite(flow: _Flow) -> bool:
    """Escapes the graph's text in place; whether any text changed."""
    found = [t for t in flow.texts if t.needs_escape and not flow.is_opened(t.value)]
    for texts in found:
        texts.put([_escape_bytes(t) for t in texts.get()])
    return bool(found)


def _rename(proto: Any, name: str) -> None:
    """Gives an input or output the escaped form of its name, which Java can pass."""
    from onnx import helper

    for value in proto.graph.input:
        if value.name == name:
            value.name = escape(name)
            nodes = [helper.make_node("Identity", [value.name], [name]), *proto.graph.node]
            del proto.graph.node[:]
            proto.graph.node.extend(nodes)
    for value in proto.graph.output:
        if value.name == name:
            value.name = escape(name)
            proto.graph.node.append(helper.make_node("Identity", [name], [value.name]))
