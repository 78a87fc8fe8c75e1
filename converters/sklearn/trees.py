"""Decision trees and forests: they compare in float32, add in double, then divide by the number of trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, Thresholds
from .._trees.arrays import Trees, tree_of, unique_thresholds
from .._trees.ensemble_sum import per_tree, tree_sum
from . import _multioutput as targets
from ._tree_export import SUMS, arg_max, column, forest, matrix, outputs, real, shares, single_values


def _trees_of(fitted: Any) -> list[Any]:
    """Returns the `tree_` of one tree, or of each tree of a forest."""
    if hasattr(fitted, "tree_"):
        return [fitted.tree_]
    return [each.tree_ for each in fitted.estimators_]


def _mean(graph: GraphBuilder, total: str, count: int) -> str:
    return graph.op("Div", total, graph.const(float(count), SUMS)) if count > 1 else total


def classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Averages the trees' class shares, and returns the first class with the highest."""
    raw_trees = _trees_of(fitted)
    if fitted.n_outputs_ > 1:
        return _several(fitted, frame, graph)
    leaf = shares(raw_trees)[:, : int(fitted.n_classes_)]
    trees = forest(raw_trees, leaf, targets=leaf.shape[1])
    total = tree_sum(graph, trees, matrix(graph, frame, "float32"), "float32", SUMS)
    mean = _mean(graph, total, len(raw_trees))
    return Answer(index=arg_max(graph, mean), probabilities=real(graph, mean))


def _several(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Does the same for each of several targets."""
    import numpy as np

    raw_trees = _trees_of(fitted)
    sizes = [int(count) for count in fitted.n_classes_]
    leaf = np.concatenate([shares(raw_trees, i)[:, :count] for i, count in enumerate(sizes)], axis=1)
    trees = forest(raw_trees, leaf, targets=leaf.shape[1])
    total = tree_sum(graph, trees, matrix(graph, frame, "float32"), "float32", SUMS)
    parts = graph.ops("Split", [_mean(graph, total, len(raw_trees)), graph.const(sizes, "int64")], len(sizes), axis=1)
    indices, found = ([turn(graph, part) for part in parts] for turn in (arg_max, real))
    return targets.several(graph, fitted.classes_, indices, found)


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Averages the trees' values, `[N]`, or `[N, T]` with several targets."""
    raw_trees = _trees_of(fitted)
    many = fitted.n_outputs_ > 1
    trees = (
        forest(raw_trees, outputs(raw_trees), targets=fitted.n_outputs_)
        if many
        else forest(raw_trees, single_values(raw_trees))
    )
    total = tree_sum(graph, trees, matrix(graph, frame, "float32"), "float32", SUMS)
    mean = real(graph, _mean(graph, total, len(raw_trees)))
    return Answer(prediction=mean if many else column(graph, mean))


def _thresholds(fitted: Any) -> Thresholds:
    raw_trees = _trees_of(fitted)
    return unique_thresholds(forest(raw_trees, single_values(raw_trees)), fitted.n_features_in_)


def _isolation_trees(fitted: Any) -> Trees:
    """Returns the trees with the depth of each leaf, on the columns of the whole matrix."""
    import numpy as np

    raw_trees = _trees_of(fitted)
    parts = zip(fitted._decision_path_lengths, fitted._average_path_length_per_tree)
    trees = forest(raw_trees, np.concatenate([depth + average - 1.0 for depth, average in parts]))
    chosen = np.stack([np.asarray(each, np.int64) for each in fitted.estimators_features_])
    own = chosen[tree_of(trees), np.maximum(trees.feature, 0)]
    return replace(trees, feature=np.where(trees.feature < 0, -1, own))


def isolation_forest(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the score minus its offset, and -1 where it is below 0."""
    trees = _isolation_trees(fitted)
    if any(value.held is not None for value in frame):  # in a sparse matrix NaN is compared like a number
        trees = replace(trees, missing_left=trees.missing_left & False)
    depth = column(graph, tree_sum(graph, trees, matrix(graph, frame, "float32"), "float32", SUMS))
    scale = _isolation_scale(fitted)
    if scale:
        power = graph.op("Div", depth, graph.const(-scale, SUMS))
    else:
        power = graph.op("Sub", graph.op("Mul", depth, graph.const(0.0, SUMS)), graph.const(1.0, SUMS))
    score = graph.op("Neg", graph.op("Pow", graph.const(2.0, SUMS), power))
    decision = graph.op("Sub", score, graph.const(float(fitted.offset_), SUMS))
    outlier = graph.op("LessOrEqual", depth, graph.const(_deepest_outlier(scale, float(fitted.offset_)), SUMS))
    label = graph.op("Where", outlier, graph.const(-1, "int64"), graph.const(1, "int64"))
    return Answer(label=label, decision=real(graph, decision))


def _isolation_scale(fitted: Any) -> float:
    import numpy as np

    rows = float(fitted._max_samples)
    if rows <= 2:
        average = float(rows == 2)
    else:
        average = float(2.0 * (np.log(rows - 1.0) + np.euler_gamma) - 2.0 * (rows - 1.0) / rows)
    return len(fitted.estimators_) * average


def _deepest_outlier(scale: float, offset: float) -> float:
    """Returns the greatest sum of depths that is an outlier; the power is never equal to the last bit.

    With `contamination` the offset may be a training row's own score, so the last bit decides that row's label.
    """
    import numpy as np

    def outlier(depth: float) -> bool:
        power = -np.divide(np.array([depth]), scale) if scale else np.array([-1.0])
        return bool((-(2**power) - offset < 0)[0])

    low, high = -1.0, 1e9
    if not outlier(low) or outlier(high):
        return float("inf") if outlier(high) else float("-inf")
    while np.nextafter(low, high) < high:
        middle = (low + high) / 2
        low, high = (middle, high) if outlier(middle) else (low, middle)
    return low


def _isolation_thresholds(fitted: Any) -> Thresholds:
    return unique_thresholds(_isolation_trees(fitted), fitted.n_features_in_)


def embedding(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns a 0/1 column for each leaf of each tree."""
    import numpy as np

    raw_trees = _trees_of(fitted)
    trees = forest(raw_trees, np.concatenate([np.arange(tree.node_count) for tree in raw_trees]).astype(float))
    reached = per_tree(graph, trees, matrix(graph, frame, "float32"), "float32")
    known = fitted.one_hot_encoder_.categories_
    owner = np.repeat(np.arange(len(known)), [len(leaves) for leaves in known])
    spread = graph.op("Gather", reached, graph.const(owner, "int64"), axis=1)
    hit = graph.op("Equal", spread, graph.const(np.concatenate(known).astype(float), SUMS))
    one_hot = graph.cast(Value(hit, "bool", len(owner)), graph.real)
    return Answer(transformed=(one_hot,))


_CLASSIFIERS: Sequence[str] = (
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
    "RandomForestClassifier",
    "ExtraTreesClassifier",
    "BalancedRandomForestClassifier",
)
_REGRESSORS: Sequence[str] = (
    "DecisionTreeRegressor",
    "ExtraTreeRegressor",
    "RandomForestRegressor",
    "ExtraTreesRegressor",
)

STEPS = {
    **{name: Step(classifier, thresholds=_thresholds) for name in _CLASSIFIERS},
    **{name: Step(regressor, thresholds=_thresholds) for name in _REGRESSORS},
    "IsolationForest": Step(isolation_forest, thresholds=_isolation_thresholds),
    "RandomTreesEmbedding": Step(
        embedding, thresholds=_thresholds, sparse=lambda fitted, given: bool(fitted.sparse_output)
    ),
}
