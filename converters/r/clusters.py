"""`kmeans`: the number of the nearest centre, counted from 1; 0 where a cell is missing."""

from __future__ import annotations

from .._graph.set_membership import INT64
from ._form.columns import Columns
from ._form.form import Fields
from ._registry import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, centers = columns.graph, fields.numbers("centers")
    distances = ""
    for j, name in enumerate(columns.inputs):  # sequentially, as R adds them: ties stay ties
        gap = graph.op("Sub", columns.number(name), graph.const(centers[:, j].reshape(1, -1)))
        square = graph.op("Mul", gap, gap)
        distances = graph.op("Add", distances, square) if distances else square
    first = graph.op("Gather", distances, graph.const([0], "int64"), axis=1)
    missing = graph.op("Cast", graph.op("Squeeze", graph.op("IsNaN", first), graph.const([1], "int64")), to=INT64)
    safe = graph.op("Where", graph.op("IsNaN", distances), graph.const(0.0), distances)
    nearest = graph.op("ArgMin", safe, axis=1, keepdims=0)
    known = graph.op("Sub", graph.const([1], "int64"), missing)
    label = graph.op("Mul", graph.op("Add", nearest, graph.const([1], "int64")), known)
    return {"label": label, "status": missing}


KIND = Kind(_convert)
