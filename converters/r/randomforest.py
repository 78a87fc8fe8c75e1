"""randomForest: shares of votes, or the mean over the trees."""

from __future__ import annotations

from ._forest import category_sets, tree_mean, trees_in, votes
from ._form.columns import Columns
from ._form.form import Fields
from ._labels import index_of_largest
from ._predictors import Predictors, any_missing, blanked
from ._registry import Kind, Outputs
from ._thresholds import thresholds_in


def _convert(fields: Fields, columns: Columns) -> Outputs:
    predictors = Predictors(fields, columns)
    x = predictors.matrix()
    trees = trees_in(fields, category_sets(fields, predictors))
    graph, classes = columns.graph, len(fields.texts("classes"))
    missing = any_missing(graph, x)
    if not classes:
        mean = tree_mean(graph, trees, x)
        if fields.numbers("correction").size:
            shift, factor = fields.numbers("correction")
            mean = graph.op("Add", graph.op("Mul", mean, graph.const([[factor]])), graph.const([[shift]]))
        return {"prediction": blanked(graph, missing, mean)}
    counts = blanked(graph, missing, votes(graph, trees, x, classes))
    shares = graph.op("Div", counts, graph.const([[float(len(trees.roots))] * classes]))
    weighed = graph.op("Div", shares, graph.const(fields.numbers("cutoff").reshape(1, -1)))
    return {"index": index_of_largest(graph, weighed, classes), "probabilities": shares}


KIND = Kind(_convert, thresholds_in)
