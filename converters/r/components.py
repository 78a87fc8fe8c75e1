"""Principal components, `prcomp` and `princomp`: the rows centred, scaled and rotated."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.form import Fields
from ._registry import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, x = columns.graph, columns.matrix(tuple(columns.inputs))
    if fields.has("center"):
        x = graph.op("Sub", x, graph.const(fields.numbers("center").reshape(1, -1)))
    if fields.has("scale"):
        x = graph.op("Div", x, graph.const(fields.numbers("scale").reshape(1, -1)))
    return {"transformed": graph.op("MatMul", x, graph.const(fields.numbers("rotation")))}


KIND = Kind(_convert)
