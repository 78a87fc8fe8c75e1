"""Clustering: the nearest centre, and features pooled by their cluster.

Distances are expanded (`x² - 2xy + y²`) as in the original: far away, where all centres round to one
distance, both choose the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _kernels as kernels
from . import _scores as scores
from ._outputs import block


def k_means(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the nearest centre, and the distances to all of them."""
    x, centers = graph.matrix(frame).name, kernels.dense(fitted.cluster_centers_)
    label = graph.op("ArgMin", _nearness(graph, x, centers), axis=1, keepdims=0)
    return Answer(transformed=_away(graph, x, centers).transformed, label=label)


def bisecting(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the leaf reached by going to the nearer of two centres, and the distances to all leaves' centres."""
    import numpy as np

    x, centers = graph.matrix(frame).name, kernels.dense(fitted.cluster_centers_)
    moved = getattr(fitted, "_X_mean", 0.0)
    pairs = [(n.left.center + moved, n.right.center + moved) for n, _ in _nodes(fitted._bisecting_tree) if n.left]
    answer = _away(graph, x, centers)
    if not pairs:
        none = graph.op("ArgMin", scores.gemm(graph, x, np.zeros((centers.shape[1], 1)), 0.0), axis=1, keepdims=0)
        return Answer(transformed=answer.transformed, label=none)
    left, right = (_nearness(graph, x, kernels.dense(side)) for side in zip(*pairs))
    wrong = scores.as_real(graph, graph.op("Less", right, left))
    weights, constant, labels = _paths(fitted._bisecting_tree, len(pairs))
    found = graph.op("ArgMin", scores.gemm(graph, wrong, weights, constant), axis=1, keepdims=0)
    label = graph.op("Gather", graph.const(labels, "int64"), found)
    return Answer(transformed=answer.transformed, label=label)


def _nodes(node: Any, path: tuple[tuple[Any, bool], ...] = ()) -> Iterator[tuple[Any, tuple[tuple[Any, bool], ...]]]:
    """Yields every node of the tree, with the splits above it and whether it is on their right."""
    yield node, path
    if node.left is not None:
        yield from _nodes(node.left, (*path, (node, False)))
        yield from _nodes(node.right, (*path, (node, True)))


def _paths(root: Any, count: int) -> tuple[Any, Any, list[int]]:
    """Returns `W` `[S, L]`, `b` `[L]` and the leaves' labels: `(goes right) @ W + b` is 0 at the leaf reached."""
    import numpy as np

    found = list(_nodes(root))
    place = {id(node): i for i, (node, _) in enumerate((n, p) for n, p in found if n.left is not None)}
    leaves = [(node, path) for node, path in found if node.left is None]
    weights, constant = np.zeros((count, len(leaves))), np.zeros(len(leaves))
    for at, (_, path) in enumerate(leaves):
        for node, right in path:
            weights[place[id(node)], at] = -1.0 if right else 1.0
            constant[at] += right
    return weights, constant, [int(leaf.label) for leaf, _ in leaves]


def nearest(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the nearest centre of AffinityPropagation and MeanShift; -1 where there is none."""
    import numpy as np

    if not hasattr(fitted, "cluster_centers_"):
        raise Unsupported(f"{type(fitted).__name__}(affinity='precomputed') cannot predict")
    x, centers = graph.matrix(frame).name, kernels.dense(fitted.cluster_centers_)
    if len(centers):
        return Answer(label=_first_nearest(graph, x, centers))
    zero = graph.op("ArgMin", scores.gemm(graph, x, np.zeros((fitted.n_features_in_, 1)), 0.0), axis=1, keepdims=0)
    return Answer(label=graph.op("Sub", zero, graph.const(1, "int64")))


def birch(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the cluster of the nearest subcluster, and the distances to all subclusters."""
    x, centers = graph.matrix(frame).name, kernels.dense(fitted.subcluster_centers_)
    labels = graph.const([int(label) for label in fitted.subcluster_labels_], "int64")
    label = graph.op("Gather", labels, _first_nearest(graph, x, centers))
    return Answer(transformed=_away(graph, x, centers).transformed, label=label)


def _nearness(graph: GraphBuilder, x: str, centers: Any) -> str:
    """Returns squared distances without the row's own square, as k-means compares them."""
    import numpy as np

    crossed = scores.gemm(graph, x, -2.0 * centers.T, 0.0)
    return graph.op("Add", crossed, graph.const(np.square(centers).sum(axis=1)[None, :]))


def _squares(graph: GraphBuilder, x: str, centers: Any) -> str:
    """Returns squared distances, summed in the order of `ArgKmin` and never below zero."""
    import numpy as np

    own = graph.op("ReduceSumSquare", x, graph.const([1], "int64"), keepdims=1)
    crossed = graph.op("Add", own, scores.gemm(graph, x, -2.0 * centers.T, 0.0))
    whole = graph.op("Add", crossed, graph.const(np.square(centers).sum(axis=1)[None, :]))
    return graph.op("Max", whole, graph.const(0.0))


def _first_nearest(graph: GraphBuilder, x: str, centers: Any) -> str:
    return graph.op("ArgMin", _squares(graph, x, centers), axis=1, keepdims=0)


def _away(graph: GraphBuilder, x: str, centers: Any) -> Answer:
    return block(graph.op("Sqrt", kernels.expanded(graph, x, centers)), len(centers), graph)


def agglomeration(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Pools each cluster of features into one; the sums and extremes of integers are integers."""
    import numpy as np

    groups, pool = np.asarray(fitted.labels_), _pool(fitted)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    if pool == "mean":
        total = scores.gemm(graph, graph.matrix(frame).name, np.eye(len(members))[groups], 0.0)
        sizes = kernels.row(np.bincount(groups), graph)
        return block(graph.op("Div", total, sizes), len(members), graph)
    if pool == "median":
        return block(_median(graph, graph.matrix(frame), members), len(members), graph)
    x = graph.matrix(frame, "int64" if kernels.integers(frame) else "")
    padded, table = _in_groups(graph, x, members, {"sum": 0, "prod": 1}.get(pool))
    value = ""
    for places in table.T:
        member = graph.op("Gather", padded, graph.const(places), axis=1)
        value = _two(graph, pool, value, member) if value else member
    return Answer(transformed=(replace(x, name=value, width=len(members)),))


def _two(graph: GraphBuilder, pool: str, first: str, second: str) -> str:
    """Pools two columns. Not by `Max` and `Min`, which misjudge some 64-bit integers (5 larger than 2**31)."""
    if pool in ("sum", "prod"):
        return graph.op("Add" if pool == "sum" else "Mul", first, second)
    ahead = graph.op("Greater" if pool == "max" else "Less", first, second)
    return graph.op("Where", ahead, first, second)


def _pool(fitted: Any) -> str:
    import numpy as np

    for name in ("mean", "sum", "max", "min", "median", "prod"):
        if fitted.pooling_func in (getattr(np, name), getattr(np, f"a{name}", None)):
            return name
    what = getattr(fitted.pooling_func, "__name__", repr(fitted.pooling_func))
    raise Unsupported(f"FeatureAgglomeration pools by {what}; supported: numpy's mean, sum, max, min, median and prod")


def _in_groups(graph: GraphBuilder, x: Value, members: list[Any], filler: float | None) -> tuple[str, Any]:
    """Returns the columns, and `[C, S]` the positions of each group among them, padded by a column of the filler, or by
    repeating its first column."""
    import numpy as np

    size = max(map(len, members))
    name = x.name
    if filler is not None:
        name = graph.op("Pad", name, graph.const([0, 0, 0, 1], "int64"), graph.const(np.asarray(filler), x.dtype))
    table = [[*m, *[m[0] if filler is None else x.width] * (size - len(m))] for m in members]
    return name, np.asarray(table, np.int64)


def _median(graph: GraphBuilder, x: Value, members: list[Any]) -> str:
    """Returns the mean of the two middle values of each group."""
    import numpy as np

    # an extra row, dropped at the end: TopK over no rows kills the process in ONNX Runtime 1.28
    more = replace(x, name=graph.op("Pad", x.name, graph.const([0, 0, 1, 0], "int64")))
    padded, places = _in_groups(graph, more, members, float("inf"))
    size = places.shape[1]
    table = graph.op("Gather", padded, graph.const(places), axis=1)
    limit = graph.const([size], "int64")
    ordered = graph.ops("TopK", [table, limit], 2, axis=2, largest=0, sorted=1)[0]
    flat = graph.op("Reshape", ordered, graph.const([-1, len(members) * size], "int64"))
    starts = np.arange(len(members)) * size
    lengths = np.array([len(m) for m in members])
    low = graph.op("Gather", flat, graph.const(starts + (lengths - 1) // 2, "int64"), axis=1)
    high = graph.op("Gather", flat, graph.const(starts + lengths // 2, "int64"), axis=1)
    middle = graph.op("Div", graph.op("Add", low, high), graph.const(2.0))
    return graph.op("Slice", middle, graph.const([0], "int64"), graph.const([-1], "int64"), graph.const([0], "int64"))


STEPS = {
    "KMeans": Step(k_means),
    "MiniBatchKMeans": Step(k_means),
    "BisectingKMeans": Step(bisecting),
    "AffinityPropagation": Step(nearest),
    "MeanShift": Step(nearest),
    "Birch": Step(birch),
    "FeatureAgglomeration": Step(agglomeration),
}
