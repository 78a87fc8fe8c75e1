"""Tree ensembles as `TreeEnsemble` nodes (ai.onnx.ml 5): one node, or several where that is faster.

Measured with 1000 rows on one thread: 300 trees of 8191 nodes 51 ms in one node and 28 ms in nodes of few trees each,
which stay in the processor's cache; 3 classes of 100 boosted trees 4.5 ms in one node of three targets and 3.6 ms in a
node per target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder, Value
from .._graph.set_membership import CodeSet, flags
from .arrays import Trees, rounded, some_trees, tree_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEQ, LT = 0, 1
NODES_AT_ONCE = 2**15
"""Tree nodes, 32 bytes each, that stay in a processor's second-level cache while many rows walk through them."""
TARGETS_APART = 32
"""Up to this many targets, each gets nodes of its own: a node costs a single row a microsecond."""


def ensemble(graph: GraphBuilder, trees: Trees, x: Value, most: int = 0) -> str:
    """Adds nodes that sum the trees' leaves per target, `[N, targets]`, in the type of `x`; `trees.leaf` is `[M]`.

    `most`: nodes in a group, by default `NODES_AT_ONCE`.
    """
    import numpy as np

    owners, most = _owners(trees), most or NODES_AT_ONCE
    if owners is not None and np.array_equal(owners, np.arange(trees.targets)):
        parts = [_node(graph, _shifted(part), x) for part in _in_reach_of_cache(trees, most)]
        return graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    if owners is None or not 1 < trees.targets <= TARGETS_APART:
        return _added(graph, trees, x, most)
    sums = [_added(graph, _only(trees, owners, target), x, most) for target in range(trees.targets)]
    return graph.op("Concat", *sums, axis=1)


def _owners(trees: Trees) -> Array | None:
    """Returns each tree's only target; None where a tree has leaves for several targets."""
    import numpy as np

    leaves = np.flatnonzero(trees.feature < 0)
    of, target = tree_of(trees)[leaves], _targets(trees)[leaves]
    least = np.full(len(trees.roots), trees.targets)
    np.minimum.at(least, of, target)
    return least if np.array_equal(least[of], target) else None


def _targets(trees: Trees) -> Array:
    import numpy as np

    return np.zeros(len(trees.feature), np.int64) if trees.target is None else trees.target


def _only(trees: Trees, owners: Array, target: int) -> Trees:
    """Returns the trees of one target, now their only one; a target without trees gets a tree that returns 0."""
    import numpy as np

    mine = np.flatnonzero(owners == target)
    part = some_trees(trees, mine if len(mine) else np.array([0]))
    leaf = part.leaf if len(mine) else np.zeros_like(part.leaf)
    return replace(part, leaf=leaf, target=None, targets=1)


def _added(graph: GraphBuilder, trees: Trees, x: Value, most: int) -> str:
    parts = [_node(graph, part, x) for part in _in_reach_of_cache(trees, most)]
    return graph.op("Sum", *parts) if len(parts) > 1 else parts[0]


def _in_reach_of_cache(trees: Trees, most: int) -> Sequence[Trees]:
    """Returns the trees in groups of at most `most` nodes, in order; a larger tree is a group of its own."""
    import numpy as np

    if len(trees.feature) <= most:
        return [trees]
    sizes = np.bincount(tree_of(trees), minlength=len(trees.roots))
    groups: list[list[int]] = []
    nodes = most
    for tree, size in enumerate(sizes.tolist()):
        nodes += size
        if nodes > most:
            groups.append([])
            nodes = size
        groups[-1].append(tree)
    return [some_trees(trees, np.array(group)) for group in groups]


def _shifted(part: Trees) -> Trees:
    """Returns a group of trees that have a target each, with targets renumbered from 0."""
    target = tree_of(part)
    return replace(part, target=target, targets=len(part.roots))


def _node(graph: GraphBuilder, trees: Trees, x: Value) -> str:
    import numpy as np
    from onnx import numpy_helper

    trees = _with_stumps(trees)
    is_leaf = trees.feature < 0
    inner, leaves = np.flatnonzero(~is_leaf), np.flatnonzero(is_leaf)
    place = np.empty(len(is_leaf), np.int64)
    place[inner], place[leaves] = np.arange(len(inner)), np.arange(len(leaves))
    left, right = trees.left[inner], trees.right[inner]
    mode = np.full(len(inner), LT if trees.strict else LEQ, np.uint8)
    missing = trees.missing_left[inner]
    return graph.ml(
        "TreeEnsemble",
        x.name,
        aggregate_function=1,
        leaf_targetids=_targets(trees)[leaves].tolist(),
        leaf_weights=numpy_helper.from_array(trees.leaf[leaves].astype(x.dtype), ""),
        n_targets=trees.targets,
        nodes_falseleafs=is_leaf[right].astype(int).tolist(),
        nodes_falsenodeids=place[right].tolist(),
        nodes_featureids=trees.feature[inner].tolist(),
        nodes_missing_value_tracks_true=missing.astype(int).tolist() if missing.any() else None,
        nodes_modes=numpy_helper.from_array(mode, ""),
        nodes_splits=numpy_helper.from_array(rounded(trees.threshold[inner], x.dtype, trees.strict), ""),
        nodes_trueleafs=is_leaf[left].astype(int).tolist(),
        nodes_truenodeids=place[left].tolist(),
        post_transform=0,
        tree_roots=place[trees.roots].tolist(),
    )


def _with_stumps(trees: Trees) -> Trees:
    """Adds a split above each root that is a leaf, since the operator cannot represent a single leaf.

    The leaf appears twice: ONNX Runtime 1.28 misreads a split whose branches end in the same leaf.
    """
    import numpy as np

    alone = np.flatnonzero(trees.feature[trees.roots] < 0)
    if not len(alone):
        return trees
    below, count = trees.roots[alone], len(alone)
    roots = trees.roots.copy()
    roots[alone] = len(trees.feature) + np.arange(count)
    twins = len(trees.feature) + count + np.arange(count)
    none, leaves = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    target = _targets(trees)
    return replace(
        trees,
        roots=roots,
        feature=np.concatenate([trees.feature, none, leaves]),
        threshold=np.append(trees.threshold, np.zeros(2 * count)),
        left=np.concatenate([trees.left, below, none]),
        right=np.concatenate([trees.right, twins, none]),
        missing_left=np.append(trees.missing_left, np.zeros(2 * count, bool)),
        leaf=np.concatenate([trees.leaf, np.zeros(count, trees.leaf.dtype), trees.leaf[below]]),
        target=np.concatenate([target, none, target[below]]),
    )


def without_categories(graph: GraphBuilder, trees: Trees, x: Value) -> tuple[Trees, Value]:
    """Replaces each category test by a 0/1 column for its set, 0 where the code goes left.

    Not `BRANCH_MEMBER`: ONNX Runtime wrongly merges chained membership nodes whose leaves have the same weight.
    """
    import numpy as np

    category = trees.category or {}
    if not category:
        return trees, x
    sets: dict[CodeSet, int] = {}
    feature, threshold = trees.feature.copy(), trees.threshold.copy()
    for node, codes in category.items():
        key = (int(trees.feature[node]), codes, bool(trees.missing_left[node]))
        feature[node] = sets.setdefault(key, x.width + len(sets))
    threshold[np.fromiter(category, np.int64, len(category))] = 0.5
    tests = graph.cast(Value(flags(graph, x, list(sets)), "uint8"), x.dtype)
    wide = graph.op("Concat", x.name, tests.name, axis=1)
    return replace(trees, feature=feature, threshold=threshold, category=None), replace(
        x, name=wide, width=x.width + len(sets)
    )
