"""Tree sums as nodes of mlpack's own operators (domain `ai.mlpack`), in place of ONNX Runtime's.

The operators are in `runtimes/kernels/`. They compare in the type in which the original compares, and add in the type
and in the order of the original, one leaf after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder, Value
from .arrays import Trees, rounded, tree_of
from .distinct import distinct_rows

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DOMAIN = "ai.mlpack"
OPERATORS = {
    ("float32", "float32"): "TreeSum32",
    ("float32", "float64"): "TreeSum32In64",
    ("float64", "float64"): "TreeSum64",
}
"""By the types of the cells and of the sums, the operator."""
MOST_NODES, MOST_TREES, MOST_LEAF_VALUES = 1 << 22, 1 << 20, 1 << 26
MOST_COLUMNS, MOST_TARGETS, MOST_IN_TREE = 2047, 4096, 1 << 20
"""Limits of the operators; `runtimes/kernels/model.h` has the same."""


@dataclass
class Kernels:
    """What became of the tree sums of one conversion: how many are nodes of the operators, and why others are not."""

    nodes: int = 0
    left_out: list[str] = field(default_factory=list)


_KERNELS: ContextVar[Kernels | None] = ContextVar("kernels", default=None)
"""The record of a conversion that wants the operators; None: it does not."""


@contextmanager
def kernels(wanted: bool) -> Iterator[Kernels]:
    """The record of the conversion that runs inside; `wanted`: tree sums become nodes of the operators."""
    found = Kernels()
    token = _KERNELS.set(found if wanted else None)
    try:
        yield found
    finally:
        _KERNELS.reset(token)


def taken(trees: Trees) -> bool:
    """Whether this sum becomes a node of the operators; records why not."""
    found = _KERNELS.get()
    if found is None:
        return False
    reason = _reason(trees)
    if reason:
        found.left_out.append(reason)
    return not reason


def _reason(trees: Trees) -> str:
    """Why the operators cannot sum these trees; empty where they can."""
    import numpy as np

    inner = trees.feature >= 0
    if trees.leaf.ndim == 1 and trees.target is not None and _tree_targets(trees) is None:
        return "a tree has leaves for several targets"
    if trees.leaf.ndim == 1 and len(trees.roots) == trees.targets > 1:
        return "the model needs the value of each tree, not their sum"
    if len(trees.feature) > MOST_NODES or len(trees.roots) > MOST_TREES or trees.leaf.size > MOST_LEAF_VALUES:
        return f"the model has more than {MOST_NODES} nodes"
    if trees.targets > MOST_TARGETS:
        return f"the model has more than {MOST_TARGETS} targets"
    sets = len({(int(trees.feature[node]), codes) for node, codes in (trees.category or {}).items()})
    if len(np.unique(trees.feature[inner])) + 2 * sets > MOST_COLUMNS:
        return f"the trees read more than {MOST_COLUMNS} columns"
    if np.bincount(tree_of(trees)).max() > MOST_IN_TREE:
        return f"a tree has more than {MOST_IN_TREE} nodes"
    if trees.strict and np.isneginf(trees.threshold[inner]).any():
        return "a threshold is minus infinity"
    return ""


def _tree_targets(trees: Trees) -> Array | None:
    """The only target of each tree; None where a tree has several."""
    import numpy as np

    if trees.target is None:
        return np.zeros(len(trees.roots), np.int64)
    leaves = np.flatnonzero(trees.feature < 0)
    of, target = tree_of(trees)[leaves], trees.target[leaves]
    own = np.zeros(len(trees.roots), np.int64)
    own[of] = target
    return own if np.array_equal(own[of], target) else None


def kernel_sum(graph: GraphBuilder, trees: Trees, x: Value, sums: str) -> Value:
    """Adds the node that sums the trees, `[N, targets]` in float32 or float64; categories are columns already.

    `sums`: float32 where the original adds in it; float64 columns are always added in float64.
    """
    import numpy as np
    from onnx import numpy_helper

    found = _KERNELS.get()
    assert found is not None
    found.nodes += 1
    total = "float32" if sums == x.dtype == "float32" else "float64"
    is_leaf = trees.feature < 0
    row, leaf = _leaves(trees, is_leaf)
    target = _tree_targets(trees) if trees.leaf.ndim == 1 else np.zeros(len(trees.roots), np.int64)
    assert target is not None
    arrays = {
        "roots": trees.roots.astype(np.int32),
        "target": target.astype(np.int32),
        "feature": np.where(is_leaf, -1, trees.feature).astype(np.int32),
        "threshold": _thresholds(trees, x.dtype),
        "left": np.where(is_leaf, row, trees.left).astype(np.int32),
        "right": np.where(is_leaf, 0, trees.right).astype(np.int32),
        "missing_left": trees.missing_left.astype(np.uint8),
        "leaf": leaf.astype(total),
    }
    tensors = {name: numpy_helper.from_array(np.ascontiguousarray(array), "") for name, array in arrays.items()}
    kind = OPERATORS[(x.dtype, total)]
    name = graph.op(kind, x.name, domain=DOMAIN, width=x.width, targets=trees.targets, **tensors)
    return Value(name, total, trees.targets)


def _leaves(trees: Trees, is_leaf: Array) -> tuple[Array, Array]:
    """Each leaf's row in the table of leaves (0 for other nodes), and the table."""
    import numpy as np

    leaves = np.flatnonzero(is_leaf)
    row = np.zeros(len(is_leaf), np.int64)
    if trees.leaf.ndim == 1:
        row[leaves] = np.arange(len(leaves))
        return row, trees.leaf[leaves]
    table, which = distinct_rows(trees.leaf[leaves])
    row[leaves] = which
    return row, table


def _thresholds(trees: Trees, dtype: str) -> Array:
    """The thresholds for `x <= threshold` in that type, which divide its numbers exactly as the original's do."""
    import numpy as np

    found = np.where(trees.feature < 0, 0, trees.threshold)
    with np.errstate(over="ignore"):
        near = rounded(found, dtype, trees.strict)
        return np.nextafter(near, near.dtype.type(-np.inf)) if trees.strict else near
