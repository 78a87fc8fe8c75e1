"""Compares two graphs as files: runs nothing, and compares external data by digest."""

from __future__ import annotations

import hashlib
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlpack_toolkit.converters.artifact import BLOCK, Artifact
from mlpack_toolkit.converters.graph_file import NoGraph, proto_of

from ..errors import DamagedError


@dataclass
class Facts:
    """Statistics of a graph. `settings`: per operator, a digest of each node's attributes. `constants`: by name, digest
    and bytes; those of a subgraph under the node's path."""

    sha256: str
    opsets: dict[str, int]
    settings: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    constants: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def nodes(self) -> dict[str, int]:
        """The number of nodes of each operator."""
        return {name: found.total() for name, found in self.settings.items()}


def graph_changes(a: Artifact, b: Artifact) -> dict[str, Any]:
    """The changes from one graph to the other.

    `settings`: operators with the same number of nodes but other attributes (a tree's thresholds are attributes).
    """
    before, after = _facts(a), _facts(b)
    return {
        "same": before.sha256 == after.sha256,
        "sha256": {"from": before.sha256, "to": after.sha256},
        "opsets": _counts("domain", before.opsets, after.opsets),
        "nodes": _counts("operator", before.nodes, after.nodes),
        "settings": [
            name
            for name in sorted(before.settings.keys() & after.settings.keys())
            if before.nodes[name] == after.nodes[name] and before.settings[name] != after.settings[name]
        ],
        "constants": _constant_changes(before.constants, after.constants),
    }


def _counts(key: str, a: Mapping[str, int], b: Mapping[str, int]) -> list[dict[str, Any]]:
    """The counts that differ; a missing key counts as 0."""
    names = sorted({*a, *b})
    return [{key: n, "from": a.get(n, 0), "to": b.get(n, 0)} for n in names if a.get(n, 0) != b.get(n, 0)]


def _constant_changes(a: Mapping[str, tuple[str, int]], b: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    changed = [name for name in a.keys() & b.keys() if a[name] != b[name]]
    return {
        "from": _sum(a.values()),
        "to": _sum(b.values()),
        "added": _sum(b[name] for name in b.keys() - a.keys()),
        "removed": _sum(a[name] for name in a.keys() - b.keys()),
        "changed": _sum(b[name] for name in changed),
    }


def _sum(found: Iterable[tuple[str, int]]) -> dict[str, int]:
    sizes = [size for _, size in found]
    return {"count": len(sizes), "bytes": sum(sizes)}


def _facts(graph: Artifact) -> Facts:
    try:
        model = proto_of(graph.path, digests=True)
    except NoGraph as error:
        raise DamagedError(f"model/model.onnx is not an ONNX file: {error}") from error
    opsets = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    facts = Facts(graph.files[0].sha256, opsets)
    for prefix, nodes, constants in _scopes(model):
        for node in nodes:
            facts.settings[_operator(node)][_settings(node)] += 1
        facts.constants |= {prefix + c.name: (_digest(c, graph), _bytes(c)) for c in constants}
    return facts


def _scopes(model: Any) -> Iterator[tuple[str, Any, Any]]:
    """Path, nodes and constants of the graph, of its functions and of every subgraph."""
    todo = [("", model.graph.node, model.graph.initializer)]
    todo += [(f"{f.name}/", f.node, ()) for f in model.functions]
    while todo:
        prefix, nodes, constants = todo.pop()
        yield prefix, nodes, constants
        for i, node in enumerate(nodes):
            inner = [g for at in node.attribute for g in (*([at.g] if at.HasField("g") else ()), *at.graphs)]
            todo += [(f"{prefix}{node.op_type}.{i}.{k}/", g.node, g.initializer) for k, g in enumerate(inner)]


def _operator(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def _settings(node: Any) -> str:
    """A digest of the attributes in any order, without subgraphs, which are scopes of their own."""
    plain = sorted(_raw(at) for at in node.attribute if not at.HasField("g") and not at.graphs)
    return hashlib.sha256(b"".join(hashlib.sha256(raw).digest() for raw in plain)).hexdigest()


def _digest(tensor: Any, graph: Artifact) -> str:
    """A digest of the whole tensor, with numbers in another file, wherever they are in it."""
    digest = hashlib.sha256()
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if entries.get("location") in {file.path for file in graph.files}:
        with (graph.folder / entries["location"]).open("rb") as file:
            file.seek(int(entries.get("offset", "0") or "0"))
            left = int(entries.get("length", "0") or "0") or sys.maxsize
            while block := file.read(min(left, BLOCK)):
                digest.update(block)
                left -= len(block)
        del tensor.external_data[:]
    digest.update(_raw(tensor))
    return digest.hexdigest()


def _raw(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


def _bytes(tensor: Any) -> int:
    """The tensor's bytes in memory; for text, the bytes of the characters."""
    import onnx

    if tensor.data_type == onnx.TensorProto.STRING:
        return sum(map(len, tensor.string_data))
    try:
        each: int = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
    except KeyError:  # this onnx does not know the type
        return len(tensor.raw_data)
    return math.prod(map(int, tensor.dims)) * each
