"""Package survival: `coxph`, a linear predictor about the means of the rows or of their stratum; `survreg`."""

from __future__ import annotations

from ._columns import Columns
from ._design import Design
from ._form import Fields
from ._kinds import Kind, Outputs


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, design = columns.graph, Design(fields.of("design"), columns)
    coefficients = fields.numbers("coefficients").reshape(-1, 1)
    eta = ""
    if len(coefficients):
        eta = graph.op("MatMul", _centred(fields, columns, design), graph.const(coefficients))
    if design.offset():
        shifted = graph.op(
            "Sub", design.offset(), graph.const([[fields.number("shift") if fields.has("shift") else 0.0]])
        )
        eta = graph.op("Add", eta, shifted) if eta else shifted
    return {fields.text("output"): graph.op("Exp", eta) if fields.flag("exponential") else eta}


def _centred(fields: Fields, columns: Columns, design: Design) -> str:
    graph, x = columns.graph, design.matrix()
    if fields.text("output") == "prediction":
        return x
    behind = list(range(1, len(fields.numbers("coefficients")) + 1))
    x = graph.op("Gather", x, graph.const(behind, "int64"), axis=1)
    if fields.has("centers"):
        return graph.op("Sub", x, _of_stratum(fields, columns))
    return graph.op("Sub", x, graph.const(fields.numbers("center").reshape(1, -1))) if fields.has("center") else x


def _of_stratum(fields: Fields, columns: Columns) -> str:
    """The means of each row's stratum; NaN where it lies in none."""
    import numpy as np

    graph, centers, cells = columns.graph, fields.numbers("centers"), fields.integers("cells")
    variables = fields.each("strata")
    sizes = [len(each.texts("levels")) + 2 for each in variables]
    place, table = "", np.full(sizes, len(centers), np.int64)
    table[tuple(cells.T)] = np.arange(len(centers))
    for size, each in zip(sizes, variables, strict=True):
        code = _code(columns, each)
        place = graph.op("Add", graph.op("Mul", place, graph.const([[size]], "int64")), code) if place else code
    flat = graph.op("Squeeze", place, graph.const([1], "int64"))
    rows = np.concatenate([centers, np.full((1, centers.shape[1]), np.nan)])
    return graph.op("Gather", graph.const(rows), graph.op("Gather", graph.const(table.ravel(), "int64"), flat))


def _code(columns: Columns, variable: Fields) -> str:
    name, levels = variable.text("name"), variable.texts("levels")
    if columns.inputs[name].type != "logical":
        return columns.code(name, levels)
    order = [levels.index(each) if each in levels else len(levels) + 1 for each in ("FALSE", "TRUE")]
    return columns.graph.op("Gather", columns.graph.const(order, "int64"), columns.code(name))


KIND = Kind(_convert)
