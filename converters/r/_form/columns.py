"""A graph's inputs as R columns: numbers, logicals, and the codes of a factor's levels."""

from __future__ import annotations

from typing import Any

from ..._graph.builder import GraphBuilder, Value
from ..._graph.set_membership import INT64
from ...spec import TensorSpec, Unsupported
from .form import Input


class Columns:
    """The columns of a model; the nodes of each are added once.

    Codes count from 0; a missing cell has the code `k` of `k` levels, a level that the model does not know `k + 1`.
    """

    def __init__(self, inputs: tuple[Input, ...], specs: tuple[TensorSpec, ...], graph: GraphBuilder) -> None:
        self.graph = graph
        self.inputs = {each.name: each for each in inputs}
        self._values = {spec.name: graph.input(spec) for spec in specs}
        self._codes: dict[str, str] = {}

    def holding(self, inputs: tuple[Input, ...], values: dict[str, Value]) -> Columns:
        """Returns computed columns of the same graph: the input of a model after its preprocessing."""
        found = Columns(inputs, (), self.graph)
        found._values = values
        return found

    def value(self, name: str) -> Value:
        """Returns the input itself."""
        if name not in self._values:
            raise Unsupported(f"the model reads a column {name!r} that it does not list")
        return self._values[name]

    def number(self, name: str) -> str:
        """Returns a column of numbers or logicals, `float64 [N, 1]`."""
        return self.graph.cast(self.value(name), "float64").name

    def matrix(self, names: tuple[str, ...] | list[str]) -> str:
        """Returns numeric columns as a matrix, `float64 [N, width]`; a factor among them as its codes from 1, NaN."""
        parts = [self.code_number(n) if self.inputs[n].is_factor else self.number(n) for n in names]
        return parts[0] if len(parts) == 1 else self.graph.op("Concat", *parts, axis=1)

    def levels(self, name: str) -> tuple[str, ...]:
        """Returns a factor's levels; those of a logical are FALSE and TRUE."""
        return ("FALSE", "TRUE") if self.inputs[name].type == "logical" else self.inputs[name].levels

    def code(self, name: str, levels: tuple[str, ...] = ()) -> str:
        """Returns the codes of a factor, `int64 [N, 1]`."""
        if name not in self._codes:
            self._codes[name] = self._code(self.value(name), levels or self.levels(name))
        return self._codes[name]

    def _code(self, value: Value, levels: tuple[str, ...]) -> str:
        graph, count = self.graph, len(levels)
        if value.dtype == "bool":
            return graph.op("Cast", value.name, to=INT64)
        if value.dtype == "string":
            keys = [*levels, value.missing or ""]
            return graph.ml(
                "LabelEncoder",
                value.name,
                keys_strings=keys,
                values_int64s=list(range(count + 1)),
                default_int64=count + 1,
            )
        return self._code_of_number(graph.cast(value, "float64").name, [_number(level) for level in levels])

    def _code_of_number(self, x: str, levels: list[float]) -> str:
        """Returns the codes of a numeric column that the formula converts to a factor."""
        graph, count = self.graph, len(levels)
        same = graph.op("Cast", graph.op("Equal", x, graph.const([levels], "float64")), to=INT64)
        found = graph.op("ReduceSum", same, graph.const([1], "int64"), keepdims=1)
        place = graph.op("ArgMax", same, axis=1, keepdims=1)
        known = graph.op("Equal", found, graph.const([[1]], "int64"))
        missing = graph.op(
            "Where", graph.op("IsNaN", x), graph.const([[count]], "int64"), graph.const([[count + 1]], "int64")
        )
        return graph.op("Where", known, place, missing)

    def code_number(self, name: str, missing: float = float("nan"), unseen: float = float("nan")) -> str:
        """Returns the codes of a factor, from 1, as numbers, `float64 [N, 1]`."""
        import numpy as np

        count = len(self.levels(name))
        table = np.array([*np.arange(1.0, count + 1), missing, unseen])
        return self.graph.op("Gather", self.graph.const(table), self.code(name))

    def rows_of(self, name: str, table: Any, levels: tuple[str, ...] = ()) -> str:
        """Returns the row of a table `[k, width]` for each cell's level, `float64 [N, width]`; NaN without a level."""
        import numpy as np

        none = np.full((2, table.shape[1]), np.nan)
        code = self.graph.op("Squeeze", self.code(name, levels), self.graph.const([1], "int64"))
        return self.graph.op("Gather", self.graph.const(np.concatenate([table, none])), code)

    def unseen(self) -> str:
        """Returns whether any factor of a row has an unknown level, `bool [N]`; empty where no factor can."""
        graph, flags = self.graph, []
        for each in self.inputs.values():
            if each.levels and not each.open and each.name in self._values:
                strange = graph.const([[len(each.levels)]], "int64")
                flags.append(graph.op("Greater", self.code(each.name), strange))
        found = ""
        for flag in flags:
            found = graph.op("Or", found, flag) if found else flag
        return graph.op("Squeeze", found, graph.const([1], "int64")) if found else ""


def _number(level: str) -> float:
    try:
        return float(level)
    except ValueError:
        return float("nan")
