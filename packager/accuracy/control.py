"""Accuracy control: the worst nodes go back to the parent's type until the gate holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from mlpack_toolkit.converters.table import rows_of, take

from ..equivalence.runners import Graph
from ..errors import MismatchError
from .rows import Rows

FEW = 16
"""Rows that show how much a node matters."""
M = TypeVar("M")


@dataclass(frozen=True)
class Attempt(Generic[M]):
    """A variant with some nodes in the parent's type, and the graph that ONNX Runtime opened."""

    made: M
    graph: Graph


def put_back(
    nodes: Sequence[str],
    attempt: Callable[[frozenset[str]], Attempt[M]],
    holds: Callable[[Graph], bool],
    error: Callable[[Graph], float],
) -> tuple[Sequence[str], Attempt[M]]:
    """The nodes that go back, the worst first, and the variant without them: as few of them as hold the gate.

    Each node is tried alone, with all others in the parent's type; `error(graph)` orders them. How many go back is
    found by halving, as a variant with more of them in the parent's type is nearer to the parent.
    """
    alone = {node: error(attempt(frozenset(nodes) - {node}).graph) for node in nodes}
    ordered = sorted(nodes, key=lambda node: (-alone[node], node))
    low, high, best = 1, len(ordered) - 1, 0
    while low <= high:
        middle = (low + high) // 2
        if holds(attempt(frozenset(ordered[:middle])).graph):
            best, high = middle, middle - 1
        else:
            low = middle + 1
    if not best:
        raise MismatchError(
            f"the limit is missed with all but one of the {len(ordered)} nodes in the parent's type: give another kind",
            worst=[],
        )
    return ordered[:best], attempt(frozenset(ordered[:best]))


def distance(parent: Graph, graph: Graph, rows: Rows) -> float:
    """How far the outputs of floats are from the parent's on a few rows, as a share of their own size."""
    table, axes = rows.tables[0], rows.signature.batch_axes
    if rows.signature.has_rows:
        table = take(table, slice(0, min(FEW, rows_of(table, axes))), axes)
    want, got, worst = parent.run(table), graph.run(table), 0.0
    for name, values in want.items():
        if values.dtype.kind == "f" and values.size:
            known = np.isfinite(values)
            difference = np.linalg.norm(np.where(known, got[name] - values, 0).astype(np.float64).ravel())
            size = np.linalg.norm(np.where(known, values, 0).astype(np.float64).ravel())
            worst = max(worst, float(np.nan_to_num(difference / (size or 1.0), nan=np.inf)))
    return worst
