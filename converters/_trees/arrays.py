"""Tree ensembles of every framework as flat arrays, and properties computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._steps.step import Thresholds

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trees:
    """Trees as flat arrays: the nodes of all trees in sequence; children are indices into the same arrays.

    `roots` `[T]`: the index of each tree's root. `feature` `[M]`: the tested column, -1 in a leaf. `threshold` `[M]`:
    a row goes left where `x <= threshold` (`x < threshold` where `strict`). `missing_left` `[M]`: NaN goes left.
    `leaf`: values at the leaves, `[M]`, each added to the target in `target` `[M]` (None: target 0), or `[M, targets]`.
    `symmetric`: every tree is a heap with one test per level, its children at `2 i + 1` and `2 i + 2`.
    `category`: nodes that test a code instead: left where the code (truncated toward 0) is in the set, right for any
    other code, including negative and huge ones; NaN by `missing_left`. Where unknown codes go left, swap the
    children and give the complement.
    """

    roots: Array
    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    leaf: Array
    target: Array | None = None
    targets: int = 1
    strict: bool = False
    symmetric: bool = False
    category: Mapping[int, frozenset[int]] | None = None


def with_base(trees: Trees, base: Sequence[float]) -> Trees:
    """Prepends a constant per target: the sum starts there, as in an original that rounds in this order."""
    import numpy as np

    roots = len(trees.feature) + np.arange(len(base))
    none = np.zeros(len(base), np.int64)
    return replace(
        trees,
        roots=np.append(roots, trees.roots),
        feature=np.append(trees.feature, none - 1),
        threshold=np.append(trees.threshold, none.astype(float)),
        left=np.append(trees.left, none),
        right=np.append(trees.right, none),
        missing_left=np.append(trees.missing_left, none.astype(bool)),
        leaf=np.append(trees.leaf, np.asarray(base, float)),
        target=None if trees.target is None else np.append(trees.target, np.arange(len(base))),
    )


def some_trees(trees: Trees, chosen: Array) -> Trees:
    """Returns only the trees at the positions `chosen`; categories must have been replaced by columns."""
    import numpy as np

    keep = np.isin(tree_of(trees), chosen)
    place = np.cumsum(keep) - 1
    inner = trees.feature[keep] >= 0
    return replace(
        trees,
        roots=place[trees.roots[chosen]],
        feature=trees.feature[keep],
        threshold=trees.threshold[keep],
        left=np.where(inner, place[trees.left[keep]], 0),
        right=np.where(inner, place[trees.right[keep]], 0),
        missing_left=trees.missing_left[keep],
        leaf=trees.leaf[keep],
        target=None if trees.target is None else trees.target[keep],
    )


def tree_of(trees: Trees) -> Array:
    """Returns the number of the tree that each node belongs to, `[M]`; a tree's nodes are contiguous, root first."""
    import numpy as np

    order = np.argsort(trees.roots)
    starts = trees.roots[order]
    return np.asarray(order[np.searchsorted(starts, np.arange(len(trees.feature)), side="right") - 1], np.int64)


def unique_thresholds(trees: Trees, width: int) -> Thresholds:
    """Returns, per column, the sorted finite thresholds of all nodes, without category codes."""
    import numpy as np

    inner = (trees.feature >= 0) & np.isfinite(trees.threshold)
    inner[list(trees.category or ())] = False
    feature, threshold = trees.feature[inner], trees.threshold[inner]
    order = np.lexsort((threshold, feature))
    feature, threshold = feature[order], threshold[order]
    new = np.ones(len(order), bool)
    new[1:] = (feature[1:] != feature[:-1]) | (threshold[1:] != threshold[:-1])
    feature, threshold = feature[new], threshold[new]
    edges = np.searchsorted(feature, np.arange(width + 1))
    return [threshold[a:b].tolist() for a, b in zip(edges[:-1], edges[1:])]


def rounded(threshold: Array, dtype: str, strict: bool) -> Array:
    """Rounds thresholds to `dtype` such that they divide its numbers exactly as before."""
    import numpy as np

    if dtype == "float64":
        return np.asarray(threshold, np.float64)
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
        if strict:
            return np.where(near < threshold, np.nextafter(near, np.float32(np.inf)), near)
        return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
