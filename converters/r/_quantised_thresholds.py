"""Trees on quantised thresholds in float32: small nodes, with likely branches adjacent in memory.

A column becomes the count of the thresholds below a number, which float32 represents exactly and which splits alike.
Measured on 300 trees (560 000 nodes, depth 28, 5 columns, 2 classes, 10 000 rows, one thread, minimum of 12 runs under
other load): 302 ms in float64, 270 ms quantised, 250 ms with the likely branch next; R itself 266 ms on an idle
machine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder, Value
from .._trees.arrays import Trees, unique_thresholds
from .._trees.ensemble import ensemble
from .._trees.ensemble_sum import per_tree
from ._level_sets import without_sets

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NODES_AT_ONCE = 2**16
"""Tree nodes in a group; they are smaller than those of float64, and visited mostly in memory order."""


def small_sum(graph: GraphBuilder, trees: Trees, x: Value) -> str:
    """Sums the trees, `float64 [N, 1]`, if it and all partial sums are integers that float32 represents.

    `x`: float64; NaN goes right everywhere.
    """
    trees, x = _ranked(graph, trees, x)
    trees, x = without_sets(graph, trees, x)
    trees, x = leaning(graph, trees, x)
    return graph.cast(Value(ensemble(graph, trees, x, NODES_AT_ONCE), "float32"), "float64").name


def _ranked(graph: GraphBuilder, trees: Trees, x: Value) -> tuple[Trees, Value]:
    """Returns the trees on ranks: a row goes left where the rank is at most that of the threshold."""
    import numpy as np

    known = [np.asarray(column) for column in unique_thresholds(trees, x.width)]
    used = [i for i, column in enumerate(known) if len(column)]
    others = [i for i in range(x.width) if i not in used]
    parts = []
    if used:
        parts.append(per_tree(graph, _search_trees([known[i] for i in used], used), x, "float64"))
    if others:
        parts.append(graph.op("Gather", x.name, graph.const(others, "int64"), axis=1))
    wide = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)
    place = np.zeros(x.width, np.int64)
    place[[*used, *others]] = np.arange(x.width)
    threshold = trees.threshold.copy()
    plain = trees.feature >= 0
    plain[list(trees.category or ())] = False
    for i in used:
        here = plain & (trees.feature == i)
        threshold[here] = np.searchsorted(known[i], trees.threshold[here])
    feature = np.where(trees.feature < 0, -1, place[trees.feature])
    return replace(trees, feature=feature, threshold=threshold), graph.cast(replace(x, name=wide), "float32")


def _search_trees(thresholds: list[Array], columns: list[int]) -> Trees:
    """Returns a tree per column that counts the thresholds below a number."""
    import numpy as np

    parts: list[tuple[Array, ...]] = []
    roots, after = [], 0
    for column, known in zip(columns, thresholds):
        roots.append(after)
        low, high = np.array([0]), np.array([len(known)])
        after += 1
        while len(low):
            middle, inner = (low + high) // 2, low < high
            left = np.where(inner, after + 2 * (np.cumsum(inner) - 1), 0)
            test = known[np.minimum(middle, len(known) - 1)]
            parts.append((np.where(inner, column, -1), test, left, np.where(inner, left + 1, 0), low * ~inner))
            after += 2 * int(inner.sum())
            low, high = (np.stack(pair, axis=1)[inner].ravel() for pair in ((low, middle + 1), (middle, high)))
    feature, test, left, right, leaf = (np.concatenate(each) for each in zip(*parts))
    none = np.zeros(len(feature), bool)
    return Trees(np.array(roots), feature, test, left, right, none, leaf.astype(float))


def leaning(graph: GraphBuilder, trees: Trees, x: Value) -> tuple[Trees, Value]:
    """Returns the same trees with the larger branch always right, where ONNX Runtime stores it next to its node.

    `x > t` is `-x <= u`, where `u` is the number just below `-t`.
    """
    import numpy as np

    size = _sizes(trees)
    turned = (trees.feature >= 0) & (size[trees.left] > size[trees.right])
    exact = trees.threshold.astype(x.dtype)
    below = np.nextafter(-exact, np.array(-np.inf, x.dtype))
    both = graph.op("Concat", x.name, graph.op("Neg", x.name), axis=1)
    return replace(
        trees,
        feature=np.where(turned, trees.feature + x.width, trees.feature),
        threshold=np.where(turned, below, trees.threshold),
        left=np.where(turned, trees.right, trees.left),
        right=np.where(turned, trees.left, trees.right),
    ), replace(x, name=both, width=2 * x.width)


def _sizes(trees: Trees) -> Array:
    """Returns the number of leaves below each node."""
    import numpy as np

    inner = trees.feature >= 0
    levels, at = [], trees.roots[inner[trees.roots]]
    while len(at):
        levels.append(at)
        below = np.concatenate([trees.left[at], trees.right[at]])
        at = below[inner[below]]
    size = np.where(inner, 0, 1)
    for at in reversed(levels):
        size[at] = size[trees.left[at]] + size[trees.right[at]]
    return size
