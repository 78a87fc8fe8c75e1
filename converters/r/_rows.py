"""Helpers on rows that several kinds of models share."""

from __future__ import annotations

from .._graph.builder import GraphBuilder
from ._form.form import Fields

_INT32, _BOOL = 6, 9


def row_of(graph: GraphBuilder, fields: Fields, name: str) -> str:
    """Returns the numbers of a field as a row, `float64 [1, width]`."""
    return graph.const(fields.numbers(name).reshape(1, -1))


def any_missing(graph: GraphBuilder, x: str) -> str:
    """Returns whether any cell of a row is missing, `bool [N, 1]`."""
    flags = graph.op("Cast", graph.op("IsNaN", x), to=_INT32)
    return graph.op("Cast", graph.op("ReduceMax", flags, graph.const([1], "int64"), keepdims=1), to=_BOOL)
