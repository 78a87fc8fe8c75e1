"""Linear predictors behind a link: `lm`, `aov`, `glm`, `glm.nb`, `rlm`."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.design import Design
from ._form.form import Fields
from ._links import inverse_link
from ._registry import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, design = columns.graph, Design(fields.of("design"), columns)
    kept = graph.const(fields.integers("kept"), "int64")
    chosen = graph.op("Gather", design.matrix(), kept, axis=1)
    eta = graph.op("MatMul", chosen, graph.const(fields.numbers("coefficients")))
    if design.offset():
        eta = graph.op("Add", eta, design.offset())
    if fields.has("offset"):
        eta = graph.op("Add", eta, design.expressions.value(fields.of("offset")))
    return {"prediction": inverse_link(graph, fields.text("link"), eta)}


KIND = Kind(_convert)
