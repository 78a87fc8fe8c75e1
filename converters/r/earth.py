"""Package earth: products of hinges of model matrix columns, `max(0, +-(x - cut))`, a column itself, or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder
from ._form.columns import Columns
from ._form.design import Design
from ._form.form import Fields
from ._links import inverse_link
from ._registry import Kind, Outputs
from ._thresholds import thresholds_in

if TYPE_CHECKING:
    import numpy as np

_DOUBLE = 11
_LINEAR = 2


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, design = columns.graph, Design(fields.of("design"), columns)
    terms = _Terms(fields.numbers("dirs"), fields.numbers("cuts"), int(design.intercept))
    responses = fields.each("responses")
    found = []
    for response, eta in zip(responses, terms.sums(graph, design.matrix(), responses)):
        eta = graph.op("Add", eta, design.offset()) if design.offset() else eta
        found.append(inverse_link(graph, response.text("link"), eta))
    return {"prediction": found[0] if len(found) == 1 else graph.op("Concat", *found, axis=1)}


class _Terms:
    """Terms as products of factors, sorted by descending number of factors: partial products are always a prefix.

    The graph stores rows as columns, `[terms, N]`: picking a term is then one copy, not one per row. `first`:
    the first column of the model matrix after its intercept.
    """

    def __init__(self, dirs: np.ndarray[Any, Any], cuts: np.ndarray[Any, Any], first: int) -> None:
        import numpy as np

        used = [np.flatnonzero(row) for row in dirs]
        self.order = np.argsort([-len(each) for each in used], kind="stable")
        self.used = [used[i] for i in self.order]
        self.dirs, self.cuts, self.first = dirs[self.order], cuts[self.order], first

    def sums(self, graph: GraphBuilder, x: str, responses: Sequence[Fields]) -> list[str]:
        """Sums, per response, the terms times their coefficients, `float64 [N, 1]`."""
        import numpy as np

        weights = np.stack([r.numbers("coefficients").ravel()[self.order] for r in responses])
        rows, counts = graph.op("Transpose", x), self._counts()
        total = self._constant(graph, rows, weights[:, counts[0] :])
        product = ""
        for depth, count in enumerate(counts[:-1]):
            factor = self._factor(graph, rows, depth, count)
            product = graph.op("Mul", _rows(graph, product, 0, count), factor) if product else factor
            ended = weights[:, counts[depth + 1] : count]
            if ended.size:
                part = _rows(graph, product, counts[depth + 1], count)
                total = graph.op("Add", total, graph.op("MatMul", graph.const(ended), part))
        beside = graph.op("Transpose", total)
        if len(responses) == 1:
            return [beside]
        return [graph.op("Gather", beside, graph.const([i], "int64"), axis=1) for i in range(len(responses))]

    def _counts(self) -> list[int]:
        """Returns, by depth, the number of terms with a factor there; 0 at the end."""
        deepest = max((len(each) for each in self.used), default=0)
        return [sum(len(each) > depth for each in self.used) for depth in range(deepest + 1)]

    def _constant(self, graph: GraphBuilder, rows: str, weights: np.ndarray[Any, Any]) -> str:
        """Sums the terms without factors, `[responses, N]`."""
        count = graph.op("Gather", graph.op("Shape", rows), graph.const([1], "int64"))
        size = graph.op("Concat", graph.const([len(weights)], "int64"), count, axis=0)
        return graph.op("Expand", graph.const(weights.sum(axis=1, keepdims=True)), size)

    def _factor(self, graph: GraphBuilder, rows: str, depth: int, count: int) -> str:
        """Returns the factors in R's form: the number times whether it is above the cut."""
        import numpy as np

        terms, places = np.arange(count), np.array([each[depth] for each in self.used[:count]])
        dirs, cuts = self.dirs[terms, places], self.cuts[terms, places]
        linear = (dirs == _LINEAR).reshape(-1, 1)
        chosen = graph.op("Gather", rows, graph.const(places + self.first, "int64"), axis=0)
        moved = graph.op("Sub", chosen, graph.const(np.where(linear.ravel(), 0.0, cuts).reshape(-1, 1)))
        value = graph.op("Mul", moved, graph.const(np.where(linear.ravel(), 1.0, dirs).reshape(-1, 1)))
        above = graph.op("Greater", value, graph.const([[0.0]]))
        above = graph.op("Or", above, graph.const(linear, "bool")) if linear.any() else above
        return graph.op("Mul", value, graph.op("Cast", above, to=_DOUBLE))


def _rows(graph: GraphBuilder, x: str, start: int, end: int) -> str:
    places = (graph.const([start], "int64"), graph.const([end], "int64"), graph.const([0], "int64"))
    return graph.op("Slice", x, *places)


KIND = Kind(_convert, thresholds_in)
