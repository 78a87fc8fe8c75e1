"""The blocks of a module, read from its graph: what each node came from, as the converter wrote it beside the node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

MODULE = "module"
"""The key under which a node keeps the path of the module that it came from."""
MOST = 40
"""Blocks that a page shows: of more, those of one parent become one."""
SHOWN = 4


@dataclass(frozen=True)
class Block:
    """Nodes of one module that follow each other. `operators`: in words; `shape`: of the last node's output.

    `error`: how far its values are from the original's, None: not known, `remark` says why; `before`: the largest such
    error of the blocks that it reads (see `equivalence/layers`).
    """

    path: str
    operators: str
    parameters: int
    shape: str
    error: float | None = None
    before: float = 0.0
    remark: str = ""


Run = tuple[str, list[Any]]
"""A path, and nodes that follow each other."""


def runs_of(model: Any) -> list[Run]:
    """The nodes of each block, in order; none of a graph that does not say where its nodes came from."""
    paths = [path_of(node) for node in model.node]
    if not any(paths):
        return []
    depths = range(max(path.count(".") for path in paths) + 1, 0, -1)
    runs = next((found for depth in depths if len(found := _runs(model.node, paths, depth)) <= MOST), None)
    return runs or _runs(model.node, paths, 1)[:MOST]


def blocks_of(model: Any, runs: Sequence[Run]) -> tuple[Block, ...]:
    """The blocks of a graph with these nodes."""
    sizes = {each.name: prod(each.dims) for each in model.initializer}
    shapes = {each.name: _shape(each) for each in (*model.value_info, *model.output)}
    return tuple(
        Block(path, _words(nodes), _taken(sizes, nodes), shapes.get(nodes[-1].output[0], "")) for path, nodes in runs
    )


def path_of(node: Any) -> str:
    """The path of the module that a node came from; empty where it does not say."""
    return next((each.value for each in node.metadata_props if each.key == MODULE), "")


def _runs(nodes: Any, paths: list[str], depth: int) -> list[Run]:
    """Nodes that follow each other and share the first parts of their path; those of no module go with the others."""
    known = [(".".join(path.split(".")[:depth]), node) for path, node in zip(paths, nodes, strict=True) if path]
    return [(path, [node for _, node in run]) for path, run in groupby(known, key=lambda each: each[0])]


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


def grown(blocks: Sequence[Block]) -> Block | None:
    """The block in which the error grows most; None where none grows."""
    known = [block for block in blocks if block.error is not None and block.error > block.before]
    return max(known, key=lambda block: (block.error or 0.0) - block.before, default=None)
