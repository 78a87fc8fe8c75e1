"""The blocks of a module, read from its graph: what each node came from, as the converter wrote it beside the node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import prod
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.graph_file import NoGraph, proto_of

MODULE = "module"
"""The key under which a node keeps the path of the module that it came from."""
MOST = 40
"""Blocks that a page shows: of more, those of one parent become one."""
SHOWN = 4


@dataclass(frozen=True)
class Block:
    """Nodes of one module that follow each other. `operators`: in words; `shape`: of the last node's output."""

    path: str
    operators: str
    parameters: int
    shape: str


def blocks(graph: Path) -> tuple[Block, ...]:
    """The blocks in order; none of a graph that does not say where its nodes came from."""
    try:
        model = proto_of(graph).graph
    except (NoGraph, OSError):
        return ()
    paths = [_path(node) for node in model.node]
    if not any(paths):
        return ()
    depths = range(max(path.count(".") for path in paths) + 1, 0, -1)
    runs = next((found for depth in depths if len(found := _runs(model.node, paths, depth)) <= MOST), None)
    return tuple(_blocks(model, runs or _runs(model.node, paths, 1)[:MOST]))


def _path(node: Any) -> str:
    return next((each.value for each in node.metadata_props if each.key == MODULE), "")


def _runs(nodes: Any, paths: list[str], depth: int) -> list[tuple[str, list[Any]]]:
    """Nodes that follow each other and share the first parts of their path; those of no module go with the others."""
    known = [(".".join(path.split(".")[:depth]), node) for path, node in zip(paths, nodes, strict=True) if path]
    return [(path, [node for _, node in run]) for path, run in groupby(known, key=lambda each: each[0])]


def _blocks(model: Any, runs: list[tuple[str, list[Any]]]) -> Iterator[Block]:
    sizes = {each.name: prod(each.dims) for each in model.initializer}
    shapes = {each.name: _shape(each) for each in (*model.value_info, *model.output)}
    for path, nodes in runs:
        yield Block(path, _words(nodes), _taken(sizes, nodes), shapes.get(nodes[-1].output[0], ""))


def _taken(sizes: dict[str, int], nodes: list[Any]) -> int:
    """How many numbers the nodes are the first to read."""
    return sum(sizes.pop(name, 0) for node in nodes for name in node.input)


def _words(nodes: list[Any]) -> str:
    counts: Mapping[str, int] = Counter(node.op_type for node in nodes)
    most = sorted(counts, key=lambda kind: -counts[kind])
    words = [f"{kind} × {counts[kind]}" if counts[kind] > 1 else kind for kind in most[:SHOWN]]
    return ", ".join([*words, *(["…"] if len(most) > SHOWN else [])])


def _shape(value: Any) -> str:
    dims = value.type.tensor_type.shape.dim
    return " × ".join(dim.dim_param or str(dim.dim_value) for dim in dims)
