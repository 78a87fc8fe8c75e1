"""ranger: class probabilities, shares of votes, or the mean over the trees."""

from __future__ import annotations

from dataclasses import replace

from .._graph.builder import GraphBuilder, Value
from .._trees.arrays import Trees
from .._trees.ensemble_sum import tree_sum
from ._forest import category_sets, tree_mean, trees_in, votes
from ._form.columns import Columns
from ._form.form import Fields
from ._labels import index_of_largest
from ._level_sets import without_sets
from ._predictors import Predictors, any_missing, blanked
from ._registry import Kind, Outputs
from ._thresholds import thresholds_in


def _convert(fields: Fields, columns: Columns) -> Outputs:
    predictors = Predictors(fields, columns)
    graph, classes, x = columns.graph, len(fields.texts("classes")), predictors.matrix()
    stops = _stops(fields, predictors, x)
    trees = trees_in(fields, category_sets(fields, predictors, goes_left=0))
    if fields.flag("answers_missing"):
        trees, x = _sent(graph, replace(trees, missing_left=fields.numbers("missing_left") != 0), x)
    if not classes:
        return {"prediction": blanked(graph, stops, tree_mean(graph, trees, x))}
    if fields.has("shares"):
        vectors = replace(trees, leaf=fields.numbers("shares"), targets=classes)
        sums = tree_sum(graph, *without_sets(graph, vectors, x), "float64")
    else:
        sums = votes(graph, trees, x, classes)
    count = float(len(trees.roots))
    shares = blanked(graph, stops, graph.op("Div", sums, graph.const([[count] * classes])))
    return {"index": index_of_largest(graph, shares, classes), "probabilities": shares}


def _stops(fields: Fields, predictors: Predictors, x: Value) -> str:
    """Returns whether R returns no prediction for a row, `bool [N, 1]`; empty: it always does."""
    graph = predictors.graph
    if not fields.flag("answers_missing"):
        return any_missing(graph, x)
    unseen = predictors.columns.unseen()
    found = graph.op("Unsqueeze", unseen, graph.const([1], "int64")) if unseen else ""
    sets = fields.integers("unordered")
    if len(sets):
        part = Value(graph.op("Gather", x.name, graph.const(sets, "int64"), axis=1), x.dtype, len(sets))
        found = graph.op("Or", found, any_missing(graph, part))
    return found


def _sent(graph: GraphBuilder, trees: Trees, x: Value) -> tuple[Trees, Value]:
    """Sends missing numbers in each node's learnt direction; as the smallest number where all nodes send them left."""
    if not trees.missing_left.all():
        return trees, x
    least = graph.op("Where", graph.op("IsNaN", x.name), graph.const([[float("-inf")]]), x.name)
    return replace(trees, missing_left=~trees.missing_left), replace(x, name=least)


KIND = Kind(_convert, thresholds_in)
