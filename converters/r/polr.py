"""MASS's `polr`: ordered classes separated by cuts on one scale."""

from __future__ import annotations

from .._graph.builder import GraphBuilder
from .._graph.erf import normal_cdf
from .._graph.floats import Reals
from ._form.columns import Columns
from ._form.form import Fields
from ._labels import index_of_largest
from ._links import cauchy_cdf
from ._registry import Kind, Outputs
from ._regressors import regressors


def _below(graph: GraphBuilder, link: str, x: str) -> str:
    """Returns the distribution function of the link."""
    m = Reals(graph, "float64")
    if link == "probit":
        return normal_cdf(graph, x)
    if link == "cauchit":
        return cauchy_cdf(m, x)
    if link == "loglog":
        return m.exp(m.negative(m.exp(m.negative(x))))
    if link == "cloglog":
        return m.subtract(m.n(1.0), m.exp(m.negative(m.exp(x))))
    return m.expit(x)


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, m = columns.graph, Reals(columns.graph, "float64")
    weights = fields.numbers("coefficients").reshape(-1, 1)
    eta = graph.op("MatMul", regressors(fields, columns), graph.const(weights))
    below = _below(graph, fields.text("link"), m.subtract(graph.const(fields.numbers("cuts").reshape(1, -1)), eta))
    first = graph.op("Gather", below, graph.const([0], "int64"), axis=1)
    nothing = m.multiply(first, m.n(0.0))
    upper = graph.op("Concat", below, m.add(nothing, m.n(1.0)), axis=1)
    lower = graph.op("Concat", nothing, below, axis=1)
    probabilities = m.subtract(upper, lower)
    index = index_of_largest(graph, probabilities, fields.numbers("cuts").size + 1)
    return {"index": index, "probabilities": probabilities}


KIND = Kind(_convert)
