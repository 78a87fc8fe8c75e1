"""A graph that a pass rewrites: its constants stay on disk and are written one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from mlpack_toolkit.converters.artifact import Artifact
from mlpack_toolkit.converters.graph_file import DATA, LARGE, proto_of

INLINE = 1024
"""Bytes of a constant up to which it stays in the graph's own file."""
MAIN = "model.onnx"
PAGE = 4096
MICROSOFT = "com.microsoft"
Array = np.ndarray[Any, Any]


class Graph:
    """The parent's graph without its large constants, and the files of the new one.

    `proto`: the model; a large constant in it is a stub that `array` reads and `write` copies. Every node has a name of
    its own. `folder`: where the new files go; a new graph of more than `LARGE` bytes has its constants beside it.
    """

    def __init__(self, parent: Artifact, folder: Path) -> None:
        import onnx

        self._parent, self._folder = parent, folder
        self.proto = onnx.load(parent.path, load_external_data=False)
        self._held: dict[str, bytes] = {}
        self._beside = parent.size > LARGE
        self._data: IO[bytes] | None = (folder / DATA).open("wb") if self._beside else None
        self._written: set[str] = set()
        _give_names(self.proto.graph)
        for tensor in self.proto.graph.initializer:
            if len(tensor.raw_data) > INLINE:
                self._held[tensor.name] = tensor.raw_data
                tensor.ClearField("raw_data")
                tensor.data_location = onnx.TensorProto.EXTERNAL

    @property
    def nodes(self) -> Any:
        """The nodes of the graph itself, not those of its branches and loops."""
        return self.proto.graph.node

    def constants(self) -> dict[str, Any]:
        """The constants by name: a tensor whose numbers `array` reads."""
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    def array(self, tensor: Any) -> Array:
        """The numbers of a constant of the graph itself, read from disk where they are there."""
        from onnx import helper, numpy_helper

        raw = self._held.get(tensor.name)
        if raw is None and not tensor.external_data:
            return np.asarray(numpy_helper.to_array(tensor))
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        return np.frombuffer(self._mapped(tensor) if raw is None else raw, dtype).reshape(tuple(tensor.dims))

    def _mapped(self, tensor: Any) -> Any:
        """The bytes in another file, mapped into memory."""
        entries = {each.key: each.value for each in tensor.external_data}
        path, offset = self._parent.folder / entries["location"], int(entries.get("offset") or 0)
        length = int(entries.get("length") or path.stat().st_size - offset)
        return np.memmap(path, np.uint8, mode="c", offset=offset, shape=(length,)) if length else b""

    def put(self, name: str, values: Array) -> None:
        """Adds the constant, or gives one that is there other numbers."""
        from onnx import numpy_helper

        made = numpy_helper.from_array(np.ascontiguousarray(values), name)
        self._written.add(name)
        self._place(made)
        self._held.pop(name, None)
        found = self.constants().get(name)
        (found.CopyFrom if found is not None else self.proto.graph.initializer.append)(made)

    def _place(self, tensor: Any) -> None:
        """Moves the numbers of a large constant to the file beside the graph, where there is one."""
        import onnx

        raw = tensor.raw_data
        if self._data is None or len(raw) <= INLINE:
            return
        start = -(-self._data.tell() // PAGE) * PAGE
        self._data.seek(start)
        self._data.write(raw)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in (("location", DATA), ("offset", str(start)), ("length", str(len(raw)))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    def replace(self, nodes: Mapping[str, Sequence[Any]]) -> None:
        """Puts other nodes in the places of some, which are given by name."""
        import onnx

        after = onnx.GraphProto()
        for node in self.nodes:
            after.node.extend(nodes.get(node.name, [node]))
        del self.nodes[:]
        self.nodes.extend(after.node)

    def import_domain(self, domain: str, version: int = 1) -> None:
        """Declares that the graph uses operators of that domain."""
        if all(each.domain != domain for each in self.proto.opset_import):
            added = self.proto.opset_import.add()
            added.domain, added.version = domain, version

    def write(self) -> Artifact:
        """The new graph's files; constants that no node reads are left out, and so are transpositions of them."""
        self._drop_unread()
        for tensor in self.proto.graph.initializer:
            if tensor.name not in self._written:
                self._copy(tensor, self._held.get(tensor.name))
        for tensor in _inner_tensors(self.proto.graph):
            self._copy(tensor)
        del self.proto.graph.value_info[:]
        content = self.proto.SerializeToString(deterministic=True)
        (self._folder / MAIN).write_bytes(content)
        if self._data is not None:
            self._data.close()
        return Artifact.of(self._folder / MAIN, [DATA] if self._data is not None else ())

    def _copy(self, tensor: Any, raw: bytes | None = None) -> None:
        """The parent's own numbers as those of the new file."""
        import onnx

        if raw is None and not tensor.external_data:
            return
        tensor.raw_data = bytes(self._mapped(tensor)) if raw is None else raw
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT
        self._place(tensor)

    def _drop_unread(self) -> None:
        read = set(_reads(self.proto.graph))
        idle = [n.name for n in self.nodes if n.op_type == "Transpose" and read.isdisjoint(n.output)]
        self.replace({name: [] for name in idle})
        read = set(_reads(self.proto.graph))
        kept = [tensor for tensor in self.proto.graph.initializer if tensor.name in read]
        gone = {tensor.name for tensor in self.proto.graph.initializer} - read
        del self.proto.graph.initializer[:]
        self.proto.graph.initializer.extend(kept)
        inputs = [each for each in self.proto.graph.input if each.name not in gone]
        del self.proto.graph.input[:]
        self.proto.graph.input.extend(inputs)


def _give_names(graph: Any) -> None:
    """A name of its own for each node that has none, or that of another."""
    seen: set[str] = set()
    for i, node in enumerate(graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.name or node.op_type}.{i}"
        seen.add(node.name)


def _inner(graph: Any) -> Iterator[Any]:
    """The graph and the branches and loops within it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for each in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _inner(each)


def outer_reads(node: Any) -> Iterator[str]:
    """What the branches and loops of a node read: names of their own, and of the graph around them."""
    for attribute in node.attribute:
        for each in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            yield from _reads(each)


def _reads(graph: Any) -> Iterator[str]:
    for each in _inner(graph):
        for node in each.node:
            yield from node.input
        yield from (output.name for output in each.output)


def _inner_tensors(graph: Any) -> Iterator[Any]:
    """The constants of branches and loops, and those that nodes hold."""
    for each in _inner(graph):
        if each is not graph:
            yield from each.initializer
        for node in each.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def operators(artifact: Artifact, names: Collection[str]) -> Mapping[str, int]:
    """How many nodes of the written file have one of these operators, by operator."""
    found = Counter(n.op_type for g in _inner(proto_of(artifact.path).graph) for n in g.node if n.op_type in names)
    return dict(sorted(found.items()))


def constants_of(artifact: Artifact, types: Mapping[int, str]) -> Mapping[str, int]:
    """How many constants of the written file have one of these element types, by its name."""
    graph = proto_of(artifact.path).graph
    tensors = (*graph.initializer, *_inner_tensors(graph))
    found = Counter(types[t.data_type] for t in tensors if t.data_type in types)
    return dict(sorted(found.items()))
