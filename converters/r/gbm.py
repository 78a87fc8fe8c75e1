"""gbm: sums of trees with three branches per split, then the distribution's link."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder, Value
from .._trees.arrays import Trees, tree_of, with_base
from .._trees.ensemble_sum import tree_sum
from ._fallback_subgraph import again, rows_missing
from ._form.columns import Columns
from ._form.form import Fields
from ._labels import index_of_largest
from ._level_sets import without_sets
from ._predictors import Predictors
from ._registry import Kind, Outputs
from ._thresholds import thresholds_in

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEFT, RIGHT = -1, 1


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, predictors = columns.graph, Predictors(fields, columns)
    targets = int(fields.number("targets"))
    x, base = _matrix(predictors), [fields.number("base")] * targets

    def score_of(rows: Value, missing: bool) -> str:
        trees = _ways(fields, targets, _doubled(fields, predictors, missing))
        return tree_sum(graph, *without_sets(graph, with_base(trees, base), rows), "float64")

    plain = score_of(x, False)
    score = again(graph, x, rows_missing(graph, x), plain, lambda rows: score_of(rows, True))
    name = fields.text("distribution")
    if name == "multinomial":
        probabilities = _softmax(graph, score)
        return {"index": index_of_largest(graph, probabilities, targets), "probabilities": probabilities}
    return {"prediction": _response(graph, name, score)}


def _response(graph: GraphBuilder, name: str, score: str) -> str:
    """Returns the result of `predict(type = "response")`; for most distributions the score itself."""
    if name == "poisson":
        return graph.op("Exp", score)
    if name in ("bernoulli", "pairwise", "adaboost"):
        factor = graph.const([[-2.0 if name == "adaboost" else -1.0]])
        odds = graph.op("Exp", graph.op("Mul", score, factor))
        return graph.op("Div", graph.const([[1.0]]), graph.op("Add", graph.const([[1.0]]), odds))
    return score


def _softmax(graph: GraphBuilder, score: str) -> str:
    parts = graph.op("Exp", score)
    return graph.op("Div", parts, graph.op("ReduceSum", parts, graph.const([1], "int64"), keepdims=1))


def _matrix(predictors: Predictors) -> Value:
    """Returns the variables; to gbm, a failed computation in a formula is not missing: it is not less than anything."""
    graph, x = predictors.graph, predictors.matrix()
    places = [i for i in range(x.width) if predictors.calculated(i)]
    if not places:
        return x
    parts = []
    for place, variable in enumerate(predictors.variables):
        column = predictors.column(variable)
        parts.append(predictors.not_missing(variable, column) if place in places else column)
    return Value(graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0], "float64", len(parts))


def _doubled(fields: Fields, predictors: Predictors, missing: bool) -> Array:
    """Returns the splits that need two tests, `bool [M]`: whether a row goes left, and if not, whether right.

    Where no cell is `missing`, only those on a factor with levels that were absent when the split was made.
    """
    import numpy as np

    feature, threshold = fields.integers("feature"), fields.numbers("threshold")
    if missing:
        return np.asarray(feature >= 0)
    found = np.zeros(len(feature), bool)
    ways = fields.arrays("ways") if fields.has("ways") else []
    for node in fields.integers("set").tolist():
        known = ways[int(threshold[node])]
        found[node] = not known.all() or len(known) < predictors.levels(int(feature[node]))
    return found


def _ways(fields: Fields, targets: int, double: Array) -> Trees:
    """Returns the trees, with a node for each of R's, and another for those that are `double`."""
    import numpy as np

    feature, threshold = fields.integers("feature"), fields.numbers("threshold")
    left, right, missing = fields.integers("left"), fields.integers("right"), fields.integers("missing")
    inner, count = feature >= 0, len(feature) + int(double.sum())
    first = np.cumsum(1 + double) - 1 - double
    second = first[double] + 1
    tests = _Nodes(count)
    tests.feature[first] = feature
    tests.threshold[first] = np.nextafter(threshold, -np.inf)
    tests.leaf[first] = np.where(inner, 0.0, fields.numbers("leaf"))
    tests.left[first] = np.where(inner, first[left], 0)
    tests.right[first] = np.where(double, first + 1, np.where(inner, first[right], 0))
    tests.feature[second], tests.threshold[second] = feature[double], np.inf
    tests.left[second], tests.right[second] = first[right[double]], first[missing[double]]
    trees = Trees(
        roots=first[fields.integers("roots")],
        feature=tests.feature,
        threshold=tests.threshold,
        left=tests.left,
        right=tests.right,
        missing_left=np.zeros(count, bool),
        leaf=tests.leaf,
        targets=targets,
        category=_sets(fields, first, double),
    )
    return trees if targets == 1 else replace(trees, target=tree_of(trees) % targets)


class _Nodes:
    def __init__(self, count: int) -> None:
        import numpy as np

        self.feature, self.left, self.right = (np.zeros(count, np.int64) for _ in range(3))
        self.threshold, self.leaf = np.zeros(count), np.zeros(count)


def _sets(fields: Fields, first: Array, double: Array) -> dict[int, frozenset[int]]:
    """Returns, by test, the codes from 1 that a split on a factor sends left, and right."""
    threshold = fields.numbers("threshold")
    ways = [_sides(each) for each in fields.arrays("ways")] if fields.has("ways") else []
    found = {}
    for node in fields.integers("set").tolist():
        left, right = ways[int(threshold[node])]
        found[int(first[node])] = left
        if double[node]:
            found[int(first[node]) + 1] = right
    return found


def _sides(way: Array) -> tuple[frozenset[int], frozenset[int]]:
    left, right = (frozenset(((way == side).nonzero()[0] + 1).tolist()) for side in (LEFT, RIGHT))
    return left, right


KIND = Kind(_convert, thresholds_in)
