"""Package earth: products of hinges of model matrix columns, `max(0, +-(x - cut))`, a column itself, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph import GraphBuilder
from ._columns import Columns
from ._design import Design
from ._form import Fields
from ._kinds import Kind, Outputs
from ._links import inverse_link
from ._thresholds import thresholds_in

if TYPE_CHECKING:
    import numpy as np

_DOUBLE = 11
_LINEAR = 2


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, design = columns.graph, Design(fields.of("design"), columns)
    basis = _basis(graph, design.matrix(), fields.numbers("dirs"), fields.numbers("cuts"), int(design.intercept))
    found = []
    for response in fields.each("responses"):
        eta = graph.op("MatMul", basis, graph.const(response.numbers("coefficients").reshape(-1, 1)))
        eta = graph.op("Add", eta, design.offset()) if design.offset() else eta
        found.append(inverse_link(graph, response.text("link"), eta))
    return {"prediction": found[0] if len(found) == 1 else graph.op("Concat", *found, axis=1)}


def _basis(graph: GraphBuilder, x: str, dirs: np.ndarray[Any, Any], cuts: np.ndarray[Any, Any], first: int) -> str:
    """The value of each term, `float64 [N, terms]`; `first`: where the model matrix behind its intercept begins."""
    import numpy as np

    used = [np.flatnonzero(row) for row in dirs]
    found = _ones(graph, x, len(dirs))
    for depth in range(max((len(each) for each in used), default=0)):
        terms = np.array([i for i, each in enumerate(used) if len(each) > depth])
        places = np.array([used[i][depth] for i in terms])
        value, flag = _factor(graph, x, places + first, dirs[terms, places], cuts[terms, places])
        found = _multiplied(graph, found, terms, value, flag, len(dirs))
    return found


def _ones(graph: GraphBuilder, x: str, width: int) -> str:
    rows = graph.op("Gather", graph.op("Shape", x), graph.const([0], "int64"))
    return graph.op("Expand", graph.const([[1.0]]), graph.op("Concat", rows, graph.const([width], "int64"), axis=0))


def _factor(graph: GraphBuilder, x: str, places: Any, dirs: Any, cuts: Any) -> tuple[str, str]:
    """What R multiplies a term by: the number, and then whether it is above the cut."""
    import numpy as np

    linear = dirs == _LINEAR
    chosen = graph.op("Gather", x, graph.const(places, "int64"), axis=1)
    moved = graph.op("Sub", chosen, graph.const(np.where(linear, 0.0, cuts).reshape(1, -1)))
    value = graph.op("Mul", moved, graph.const(np.where(linear, 1.0, dirs).reshape(1, -1)))
    above = graph.op("Or", graph.op("Greater", value, graph.const([[0.0]])), graph.const(linear.reshape(1, -1), "bool"))
    return value, graph.op("Cast", above, to=_DOUBLE)


def _multiplied(graph: GraphBuilder, found: str, terms: Any, value: str, flag: str, width: int) -> str:
    """The terms at `terms` multiplied, the others as they are."""
    import numpy as np

    order = np.full(width, -1)
    order[terms] = np.arange(len(terms))
    kept = np.flatnonzero(order < 0)
    old = graph.op("Gather", found, graph.const(terms, "int64"), axis=1)
    new = graph.op("Mul", graph.op("Mul", old, value), flag)
    if not len(kept):
        return new
    both = graph.op("Concat", new, graph.op("Gather", found, graph.const(kept, "int64"), axis=1), axis=1)
    order[kept] = len(terms) + np.arange(len(kept))
    return graph.op("Gather", both, graph.const(order, "int64"), axis=1)


KIND = Kind(_convert, thresholds_in)
