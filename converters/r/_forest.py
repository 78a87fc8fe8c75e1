"""R's forests: nodes from the intermediate form, sums and votes of trees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder, Value
from .._trees.arrays import Trees
from .._trees.ensemble import ensemble
from .._trees.ensemble_sum import tree_sum
from ._form.form import Fields
from ._level_sets import without_sets
from ._predictors import Predictors
from ._quantised_thresholds import NODES_AT_ONCE, leaning, small_sum

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

REAL_DIGITS, SMALL_DIGITS = 53, 24
"""Binary digits of float64 and float32."""


def trees_in(fields: Fields, category: dict[int, frozenset[int]]) -> Trees:
    """Returns the trees of a form, whose rows go left where a number is at most the threshold, or a code in a set."""
    import numpy as np

    feature = fields.integers("feature")
    return Trees(
        roots=fields.integers("roots"),
        feature=feature,
        threshold=fields.numbers("threshold"),
        left=fields.integers("left"),
        right=fields.integers("right"),
        missing_left=np.zeros(len(feature), bool),
        leaf=fields.numbers("leaf") if fields.has("leaf") else np.zeros(len(feature)),
        category=category,
    )


def category_sets(fields: Fields, predictors: Predictors, goes_left: int = 1) -> dict[int, frozenset[int]]:
    """Returns, by node, the codes that go left, from a threshold whose bits are flags of the levels.

    `goes_left`: the value of the bit that means left.
    """
    feature, threshold = fields.integers("feature"), fields.numbers("threshold")
    known: dict[tuple[int, float], frozenset[int]] = {}
    found = {}
    for node in fields.integers("set").tolist():
        key = (int(feature[node]), float(threshold[node]))
        if key not in known:
            levels, bits = predictors.levels(key[0]), int(key[1])
            known[key] = frozenset(c for c in range(1, levels + 1) if bits >> (c - 1) & 1 == goes_left)
        found[node] = known[key]
    return found


def tree_mean(graph: GraphBuilder, trees: Trees, x: Value) -> str:
    """Averages the trees, `float64 [N, 1]`."""
    trees, x = without_sets(graph, trees, x)
    if trees.missing_left.any():
        total = tree_sum(graph, trees, x, "float64")
    else:
        trees, x = leaning(graph, trees, x)
        total = ensemble(graph, trees, x, NODES_AT_ONCE)
    return graph.op("Div", total, graph.const([[float(len(trees.roots))]]))


def votes(graph: GraphBuilder, trees: Trees, x: Value, classes: int) -> str:
    """Counts the trees' votes per class, `float64 [N, classes]`; a leaf's value is the number of its class, from 1.

    The counts of all classes but the first are digits of one number, as long as they fit into it.
    """
    import numpy as np

    count = len(trees.roots)
    chosen = np.where(trees.feature < 0, trees.leaf, 1).astype(np.int64) - 1
    bits = count.bit_length()
    if bits * (classes - 1) > REAL_DIGITS:
        trees, x = without_sets(graph, trees, x)
        return tree_sum(graph, replace(trees, leaf=np.eye(classes)[chosen], targets=classes), x, "float64")
    base = 2.0**bits
    weight = np.where(chosen > 0, base ** (chosen - 1.0), 0.0)
    weighed = replace(trees, leaf=weight)
    if bits * (classes - 1) > SMALL_DIGITS or trees.missing_left.any():
        total = tree_sum(graph, *without_sets(graph, weighed, x), "float64")
    else:
        total = small_sum(graph, weighed, x)
    return _digits(graph, total, base, classes, count)


def _digits(graph: GraphBuilder, total: str, base: float, classes: int, count: int) -> str:
    """Extracts the counts from a number, and prepends the rest up to `count`."""
    import numpy as np

    def over(powers: Array) -> str:
        return graph.op("Floor", graph.op("Div", total, graph.const((base**powers).reshape(1, -1))))

    powers = np.arange(classes - 1)
    above = graph.op("Mul", over(powers + 1), graph.const(np.full((1, classes - 1), base)))
    digits = graph.op("Sub", over(powers), above)
    known = graph.op("ReduceSum", digits, graph.const([1], "int64"), keepdims=1)
    first = graph.op("Sub", graph.const([[float(count)]]), known)
    return graph.op("Concat", first, digits, axis=1)
