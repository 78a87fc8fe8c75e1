"""Package survival: `coxph`, a linear predictor about the means of the rows or of their stratum; `survreg`."""

from __future__ import annotations

from .._graph.set_membership import INT64
from ._form.columns import Columns
from ._form.design import Design
from ._form.expressions import Expressions
from ._form.form import Fields
from ._registry import Kind, Outputs


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
    """Returns the means of each row's stratum; NaN where it belongs to none."""
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
    if variable.has("expression"):
        return _code_of_test(columns, variable.of("expression"), levels)
    if columns.inputs[name].type != "logical":
        return columns.code(name, levels)
    return columns.graph.op("Gather", columns.graph.const(_of_truth(levels), "int64"), columns.code(name))


def _code_of_test(columns: Columns, test: Fields, levels: tuple[str, ...]) -> str:
    """Returns the position of FALSE or TRUE among the strata; one past the end for NA."""
    graph, found = columns.graph, Expressions(columns).value(test)
    missing = graph.op("IsNaN", found)
    place = graph.op("Cast", graph.op("Where", missing, graph.const([[2.0]]), found), to=INT64)
    return graph.op("Gather", graph.const([*_of_truth(levels), len(levels) + 1], "int64"), place)


def _of_truth(levels: tuple[str, ...]) -> list[int]:
    return [levels.index(each) if each in levels else len(levels) + 1 for each in ("FALSE", "TRUE")]


KIND = Kind(_convert)
