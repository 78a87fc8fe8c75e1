"""R's model matrix as nodes: variables, contrasts, interactions, offsets; from the form that `_terms.R` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...spec import Unsupported
from .columns import Columns
from .expressions import Expressions
from .form import Fields

if TYPE_CHECKING:
    import numpy as np

CONTRASTS, INDICATORS = 1, 2


class Design:
    """The design of one model: `variables`, `terms` (per term, each variable's part in it), `intercept`, `offsets`."""

    def __init__(self, fields: Fields, columns: Columns) -> None:
        self.columns, self.graph = columns, columns.graph
        self.expressions = Expressions(columns)
        self.variables = fields.each("variables")
        self.terms = [term.tolist() for term in fields.arrays("terms")]
        self.intercept = fields.flag("intercept")
        self.offsets = (fields.integers("offsets") - 1).tolist() if fields.has("offsets") else []
        if not self.intercept:
            self._widen_first_factor()

    def _widen_first_factor(self) -> None:
        """Gives the first factor all its indicators, as R does without an intercept, whatever its terms say."""
        for term in self.terms:
            for i, part in enumerate(term):
                if part and self.variables[i].has("levels"):
                    term[i] = INDICATORS
                    return

    def matrix(self) -> str:
        """Returns all columns, `float64 [N, p]`; a row with a missing variable or an unknown level contains NaN."""
        blocks = [self._term(term) for term in self.terms]
        if self.intercept:
            blocks.insert(0, self._ones())
        if not blocks:
            raise Unsupported("the formula has no terms")
        return blocks[0] if len(blocks) == 1 else self.graph.op("Concat", *blocks, axis=1)

    def _ones(self) -> str:
        """Returns a column of ones, as long as the batch."""
        name = next(iter(self.columns.inputs), None)
        if name is None:
            raise Unsupported("the model reads no column, so its graph cannot determine the number of rows")
        shape = self.graph.op("Shape", self.columns.value(name).name)
        rows = self.graph.op("Gather", shape, self.graph.const([0], "int64"))
        size = self.graph.op("Concat", rows, self.graph.const([1], "int64"), axis=0)
        return self.graph.op("Expand", self.graph.const([[1.0]]), size)

    def _term(self, term: list[int]) -> str:
        """Returns the columnwise products of its variables' blocks, the first variable's columns fastest."""
        found, one = "", self.graph.const([1], "int64")
        for i, part in enumerate(term):
            if not part:
                continue
            block = self.block(self.variables[i], part)
            if not found:
                found = block
                continue
            left = self.graph.op("Unsqueeze", found, one)
            right = self.graph.op("Unsqueeze", block, self.graph.const([2], "int64"))
            found = self.graph.op("Flatten", self.graph.op("Mul", left, right), axis=1)
        return found

    def block(self, variable: Fields, part: int) -> str:
        """Returns the columns of one variable: a number unchanged, a factor's contrasts or indicators."""
        if not variable.has("levels"):
            return self.expressions.value(variable.of("expression"))
        table = self._coding(variable, part)
        e = variable.of("expression")
        if e.text("op") == "recoded":
            e = e.of("x")
        if e.text("op") == "column":
            return self.columns.rows_of(e.text("name"), table, variable.texts("levels"))
        return self._rows_of_code(self.expressions.value(e), table)

    def _coding(self, variable: Fields, part: int) -> np.ndarray[Any, Any]:
        import numpy as np

        if part == INDICATORS:
            return np.eye(len(variable.texts("levels")))
        contrast = variable.numbers("contrast")
        return contrast if contrast.ndim == 2 else contrast.reshape(len(variable.texts("levels")), -1)

    def _rows_of_code(self, x: str, table: np.ndarray[Any, Any]) -> str:
        """Returns the rows of a table for codes that are numbers from 0; NaN for NaN."""
        import numpy as np

        graph, count = self.graph, len(table)
        known = graph.op("Where", graph.op("IsNaN", x), graph.const([[float(count)]]), x)
        code = graph.op("Squeeze", graph.op("Cast", known, to=7), graph.const([1], "int64"))
        rows = np.concatenate([table, np.full((1, table.shape[1]), np.nan)])
        return graph.op("Gather", graph.const(rows), code)

    def offset(self) -> str:
        """Returns the sum of the formula's offsets, `float64 [N, 1]`; empty where it has none."""
        found = ""
        for place in self.offsets:
            value = self.expressions.value(self.variables[place].of("expression"))
            found = self.graph.op("Add", found, value) if found else value
        return found
