"""`glmnet` and `cv.glmnet`: linear predictors at one penalty or along a path, then the family's inverse link."""

from __future__ import annotations

from .._graph.builder import GraphBuilder
from ._form.columns import Columns
from ._form.form import Fields
from ._labels import index_of_largest
from ._links import inverse_link
from ._registry import Kind, Outputs
from ._softmax import two_classes
from ._sparse_matmul import product


def _predictor(graph: GraphBuilder, x: str, table: Fields, intercept: bool) -> str:
    """Returns one linear predictor per penalty, `[N, L]`."""
    values, stored = table.numbers("values"), table.numbers("stored").astype(bool)
    values = values.reshape(-1, values.shape[-1]) if values.ndim == 2 else values.reshape(-1, 1)
    stored = stored.reshape(values.shape)
    if not intercept:
        return product(graph, x, values, stored)
    return graph.op("Add", product(graph, x, values[1:], stored[1:]), graph.const(values[:1]))


def _answer(graph: GraphBuilder, link: str, eta: str) -> str:
    if link.startswith("family "):
        return inverse_link(graph, link.removeprefix("family "), eta)
    if link == "exp":
        return graph.op("Exp", eta)
    one = graph.const([[1.0]])
    return graph.op("Div", one, graph.op("Add", one, graph.op("Exp", graph.op("Neg", eta)))) if link == "logit" else eta


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, x = columns.graph, columns.matrix(fields.texts("features"))
    parts = [_predictor(graph, x, table, fields.flag("intercept")) for table in fields.each("tables")]
    eta = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)
    classes, link = fields.texts("classes"), fields.text("link")
    if not classes:
        return {"prediction": _answer(graph, link, eta)}
    if link == "logit":
        even = graph.op("Where", graph.op("IsNaN", eta), eta, graph.const([[0.0]]))
        both = graph.op("Concat", even, eta, axis=1)
        return {
            "index": index_of_largest(graph, both, 2),
            "probabilities": two_classes(graph, _answer(graph, link, eta)),
        }
    size = graph.op("Exp", eta)  # without subtracting the maximum first: R returns NaN where this overflows
    total = graph.op("ReduceSum", size, graph.const([1], "int64"), keepdims=1)
    return {"index": index_of_largest(graph, eta, len(classes)), "probabilities": graph.op("Div", size, total)}


KIND = Kind(_convert)
