"""e1071's `naiveBayes`: the prior and a density or frequency per variable; missing or unknown values are skipped."""

from __future__ import annotations

import math

from .._graph.builder import GraphBuilder
from .._graph.floats import Reals
from ._compensated_math import exponential
from ._form.columns import Columns
from ._form.form import Fields
from ._registry import Kind, Outputs, Thresholds
from ._softmax import shares

FAR = math.sqrt(-2 * math.log(2) * (-1021 + 1 - 53))
"""R's normal density is 0 beyond this many deviations."""
NEAR = 5.0
"""Beyond this many deviations R squares in two parts, for accuracy."""


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph = columns.graph
    total = ""
    for variable in fields.each("variables"):
        term = _share(variable, columns) if variable.has("levels") else _density(fields, variable, columns)
        total = graph.op("Add", total, term) if total else term
    scores = graph.op("Add", total, graph.const(fields.numbers("prior").reshape(1, -1)))
    return {"index": graph.op("ArgMax", scores, axis=1, keepdims=0), "probabilities": shares(graph, scores)}


def _share(variable: Fields, columns: Columns) -> str:
    """Returns the logarithm of a level's frequency in each class; 0 for a missing or unknown level."""
    import numpy as np

    table = variable.numbers("shares")
    code = columns.code(variable.text("name"), variable.texts("levels"))
    flat = columns.graph.op("Squeeze", code, columns.graph.const([1], "int64"))
    return columns.graph.op("Gather", columns.graph.const(np.concatenate([table, np.zeros((2, table.shape[1]))])), flat)


def _density(fields: Fields, variable: Fields, columns: Columns) -> str:
    """Returns the logarithm of the normal density in each class, as R computes it; 0 where the number is missing."""
    graph, m = columns.graph, Reals(columns.graph, "float64")
    x, spread = columns.number(variable.text("name")), variable.numbers("deviation").reshape(1, -1)
    away = m.absolute(
        m.divide(m.subtract(x, graph.const(variable.numbers("mean").reshape(1, -1))), graph.const(spread))
    )
    far = graph.op("Greater", away, m.n(FAR))
    away = m.where(far, m.n(0.0), away)
    near = m.exp(m.multiply(m.multiply(m.n(-0.5), away), away))
    value = m.where(graph.op("Less", away, m.n(NEAR)), near, _tail(graph, away))
    value = m.multiply(graph.const(_HEIGHT / spread), value)
    value = m.where(far, m.n(0.0), value)
    small = graph.op("LessOrEqual", value, m.n(fields.number("eps")))
    value = m.where(small, m.n(fields.number("threshold")), value)
    return m.where(graph.op("IsNaN", x), m.n(0.0), m.log(value))


_HEIGHT = 0.398942280401432677939946059934
"""`1 / sqrt(2 pi)`."""


def _tail(graph: GraphBuilder, away: str) -> str:
    m = Reals(graph, "float64")
    coarse = m.divide(m.rint(m.multiply(away, m.n(65536.0))), m.n(65536.0))
    fine = m.subtract(away, coarse)
    first = exponential(graph, m.multiply(m.multiply(m.n(-0.5), coarse), coarse))
    second = m.multiply(m.subtract(m.multiply(m.n(-0.5), fine), coarse), fine)
    return m.multiply(first, exponential(graph, second))


def _thresholds(fields: Fields) -> Thresholds:
    """Returns the points beyond which a density is 0 and replaced by `threshold`."""
    found = {}
    for variable in fields.each("variables"):
        if not variable.has("levels"):
            means, reach = variable.numbers("mean"), FAR * variable.numbers("deviation")
            found[variable.text("name")] = sorted({*(means - reach).tolist(), *(means + reach).tolist()})
    return found


KIND = Kind(_convert, _thresholds)
