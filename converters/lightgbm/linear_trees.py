"""Sums lightgbm's trees whose leaves contain linear models (`linear_tree`)."""

from __future__ import annotations

from dataclasses import replace

from .._graph.builder import GraphBuilder, Value
from .._trees.arrays import tree_of
from .._trees.ensemble_sum import tree_sum
from .reader import Parsed


def linear_sum(graph: GraphBuilder, content: Parsed, ready: Value, raw: Value) -> str:
    """Sums the trees, `[N, per_round]`. `ready`: the input of the splits; `raw`: the input of the leaf models.

    A leaf returns its own value where one of its features is missing.
    """
    models, trees = content.models, content.trees
    assert models is not None and trees is not None and content.leaf_number is not None
    count, most = models.features.shape[0], models.features.shape[1]
    numbered = replace(trees, leaf=content.leaf_number, target=tree_of(trees), targets=len(trees.roots))
    number = graph.op("Cast", tree_sum(graph, numbered, ready, "float64"), to=7)
    leaf = graph.op("Add", number, graph.const(models.starts, "int64"))
    cells = _cells(graph, raw, leaf, models.features, len(trees.roots) * most, most, len(trees.roots))
    present = graph.op("Where", _rows(graph, models.used, leaf), cells, graph.const(0.0))
    products = graph.op("Mul", present, _rows(graph, models.coefficients, leaf))
    slope = graph.op("ReduceSum", products, graph.const([2], "int64"), keepdims=0)
    answer = graph.op("Add", _rows(graph, models.constant, leaf), slope)
    gaps = graph.op("Cast", graph.op("IsNaN", present), to=1)
    gone = graph.op("Greater", graph.op("ReduceMax", gaps, graph.const([2], "int64"), keepdims=0), _half(graph))
    each = graph.op("Where", gone, _rows(graph, models.fallback, leaf), answer)
    assert count == models.constant.shape[0]
    shape = graph.const([-1, content.rounds, content.per_round], "int64")
    return graph.op("ReduceSum", graph.op("Reshape", each, shape), graph.const([1], "int64"), keepdims=0)


def _half(graph: GraphBuilder) -> str:
    return graph.const(0.5, "float32")


def _rows(graph: GraphBuilder, table: object, leaf: str) -> str:
    """Returns the rows of a table at the leaves, `[N, T]` or `[N, T, K]`."""
    return graph.op("Gather", graph.const(table), leaf)


def _cells(graph: GraphBuilder, raw: Value, leaf: str, features: object, flat: int, most: int, trees: int) -> str:
    """Returns the features of each leaf's model, `[N, T, K]`."""
    where = graph.op("Reshape", _rows(graph, features, leaf), graph.const([-1, flat], "int64"))
    found = graph.op("GatherElements", raw.name, where, axis=1)
    return graph.op("Reshape", found, graph.const([-1, trees, most], "int64"))
