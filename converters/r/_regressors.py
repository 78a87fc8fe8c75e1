"""Inputs of a model with weights, as `_regressors.R` exports them: the design of a formula, or columns of a matrix."""

from __future__ import annotations

from ._form.columns import Columns
from ._form.design import Design
from ._form.form import Fields


def regressors(fields: Fields, columns: Columns) -> str:
    """Returns the columns without the intercept, `float64 [N, p]`."""
    if not fields.has("design"):
        return columns.matrix(fields.texts("features"))
    design = Design(fields.of("design"), columns)
    matrix, graph = design.matrix(), columns.graph
    if not design.intercept:
        return matrix
    first, end = graph.const([1], "int64"), graph.const([2**31], "int64")
    return graph.op("Slice", matrix, first, end, graph.const([1], "int64"))
