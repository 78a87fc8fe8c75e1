"""mgcv's `gam` and `bam`: a model matrix and smooth terms, then a link."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.design import Design
from ._form.form import Fields
from ._links import inverse_link
from ._registry import Kind, Outputs
from ._smooths import Smooths


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, design = columns.graph, Design(fields.of("design"), columns)
    smooths, parts = Smooths(columns), []
    coefficients = fields.numbers("coefficients").reshape(-1, 1)
    if len(coefficients):
        parts.append(graph.op("MatMul", design.matrix(), graph.const(coefficients)))
    if design.offset():
        parts.append(design.offset())
    parts += [smooths.value(each) for each in fields.each("smooths")]
    eta = parts[0]
    for part in parts[1:]:
        eta = graph.op("Add", eta, part)
    missing = _missing(columns)
    eta = graph.op("Where", missing, graph.const([[float("nan")]]), eta) if missing else eta
    return {"prediction": inverse_link(graph, fields.text("link"), eta)}


def _missing(columns: Columns) -> str:
    """Returns whether any cell of a row is missing, for which mgcv returns NA, `bool [N, 1]`; empty: none can be."""
    graph, found = columns.graph, ""
    for name, each in columns.inputs.items():
        if each.type == "logical":
            continue
        if each.levels:
            gone = graph.op("Equal", columns.code(name), graph.const([[len(each.levels)]], "int64"))
        else:
            gone = graph.op("IsNaN", columns.number(name))
        found = graph.op("Or", found, gone) if found else gone
    return found


KIND = Kind(_convert)
