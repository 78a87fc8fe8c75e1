"""The predictors of a tree model as one matrix: numbers, and factors as the codes of their levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._graph.builder import GraphBuilder, Value
from ..spec import Unsupported
from ._form.columns import Columns
from ._form.expressions import Expressions
from ._form.form import Fields


class Predictors:
    """The variables that `_predictors.R` exports; codes count from 1. Missing cells and unknown levels are NaN."""

    def __init__(self, fields: Fields, columns: Columns) -> None:
        self.columns, self.graph = columns, columns.graph
        self.variables = fields.each("variables")
        self._expressions = Expressions(columns)

    def matrix(self) -> Value:
        """Returns all variables, `float64 [N, width]`."""
        if not self.variables:
            raise Unsupported("the model reads no column, so its graph cannot determine the number of rows")
        parts = [self.column(variable) for variable in self.variables]
        name = parts[0] if len(parts) == 1 else self.graph.op("Concat", *parts, axis=1)
        return Value(name, "float64", len(parts))

    def column(self, variable: Fields) -> str:
        """Returns one variable, `float64 [N, 1]`."""
        e = variable.of("expression")
        if not variable.has("levels"):
            return self._expressions.value(e)
        if e.text("op") == "recoded":
            e = e.of("x")
        if e.text("op") != "column":
            return self.graph.op("Add", self._expressions.value(e), self.graph.const([[1.0]]))
        return self._code(e.text("name"), variable.texts("levels"))

    def _code(self, name: str, levels: tuple[str, ...]) -> str:
        import numpy as np

        table = np.array([*np.arange(1.0, len(levels) + 1), np.nan, np.nan])
        return self.graph.op("Gather", self.graph.const(table), self.columns.code(name, levels))

    def levels(self, place: int) -> int:
        """Returns the number of levels of a variable."""
        return len(self.variables[place].texts("levels"))

    def calculated(self, place: int) -> bool:
        """Returns whether a variable is a function of columns, not a column itself."""
        return self.variables[place].of("expression").text("op") not in ("column", "recoded")

    def not_missing(self, variable: Fields, column: str) -> str:
        """Returns a computed variable, infinite where it is NaN although none of its input cells is missing."""
        graph = self.graph
        absent = graph.op("IsNaN", column)
        for name in sorted(_names_in(variable.of("expression").values)):
            there = graph.op("Not", graph.op("IsNaN", self.columns.number(name)))
            absent = graph.op("And", absent, there)
        return graph.op("Where", absent, graph.const([[float("inf")]]), column)


def _names_in(e: Any) -> set[str]:
    """Returns the columns that an expression reads as numbers."""
    if isinstance(e, list):
        return {name for part in e for name in _names_in(part)}
    if not isinstance(e, Mapping):
        return set()
    if e.get("op") == ["column"]:
        return set(e["name"])
    return {name for part in e.values() for name in _names_in(part)}


def any_missing(graph: GraphBuilder, x: Value) -> str:
    """Returns whether any number of a row is NaN, `bool [N, 1]`."""
    gone = graph.op("Cast", graph.op("IsNaN", x.name), to=_INT32)
    return graph.op("Cast", graph.op("ReduceMax", gone, graph.const([1], "int64"), keepdims=1), to=_BOOL)


def blanked(graph: GraphBuilder, flag: str, answer: str) -> str:
    """Sets `answer`, `float64 [N, width]`, to NaN where the flag is true; an empty name is no flag."""
    return graph.op("Where", flag, graph.const([[float("nan")]]), answer) if flag else answer


_INT32, _BOOL = 6, 9
