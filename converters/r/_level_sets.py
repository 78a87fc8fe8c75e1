"""Splits on sets of levels: a 0/1 column per set, looked up in a table with a row per level.

Uses a table for each factor, unlike the single one of `set_membership`: 139 sets for 10 000 rows take 2 ms, not 21.
"""

from __future__ import annotations

from dataclasses import replace

from .._graph.builder import GraphBuilder, Value
from .._graph.set_membership import INT64
from .._trees.arrays import Trees


def without_sets(graph: GraphBuilder, trees: Trees, x: Value) -> tuple[Trees, Value]:
    """Returns the trees and the matrix with a column per distinct set: 0 if the code, from 1, goes left; NaN right."""
    import numpy as np

    category = trees.category or {}
    if not category:
        return trees, x
    by_column: dict[int, dict[frozenset[int], int]] = {}
    for node, codes in category.items():
        known = by_column.setdefault(int(trees.feature[node]), {})
        known.setdefault(codes, len(known))
    parts, start, width = [x.name], {}, x.width
    for column, known in sorted(by_column.items()):
        start[column] = width
        width += len(known)
        parts.append(_columns(graph, x, column, list(known)))
    feature, threshold = trees.feature.copy(), trees.threshold.copy()
    for node, codes in category.items():
        column = int(trees.feature[node])
        feature[node] = start[column] + by_column[column][codes]
    threshold[np.fromiter(category, np.int64, len(category))] = 0.5
    wide = graph.op("Concat", *parts, axis=1)
    return replace(trees, feature=feature, threshold=threshold, category=None), replace(x, name=wide, width=width)


def _columns(graph: GraphBuilder, x: Value, column: int, sets: list[frozenset[int]]) -> str:
    import numpy as np

    most = max((max(codes, default=0) for codes in sets), default=0)
    table = np.ones((most + 2, len(sets)))
    for place, codes in enumerate(sets):
        table[list(codes), place] = 0.0
    cells = graph.op("Gather", x.name, graph.const(column, "int64"), axis=1)
    known = graph.op("Where", graph.op("IsNaN", cells), graph.const([0.0], x.dtype), cells)
    least = graph.op("Max", known, graph.const([0.0], x.dtype))
    code = graph.op("Min", least, graph.const([float(most + 1)], x.dtype))
    return graph.op("Gather", graph.const(table, x.dtype), graph.op("Cast", code, to=INT64), axis=0)
