"""caret: `train`, its columns and preprocessing around a nested model; `preProcess` on its own."""

from __future__ import annotations

from collections.abc import Callable

from .._graph.builder import GraphBuilder
from ..spec import Unsupported
from ._form.columns import Columns
from ._form.design import Design
from ._form.form import Fields
from ._form.preprocessing import Prepared
from ._labels import index_of_largest
from ._nested_model import inner_outputs
from ._registry import Kind, Outputs, Thresholds, kind_of


def _convert(fields: Fields, columns: Columns) -> Outputs:
    if not fields.has("inner"):
        return _transformed(fields, columns)
    prepared, missing = _columns(fields, columns)
    prepared.apply(fields.each("steps"))
    found = inner_outputs(fields.of("inner"), prepared)
    found = _classified(fields, columns.graph, found) if fields.has("rule") else _bounded(fields, columns.graph, found)
    return _masked(columns.graph, found, missing, len(fields.texts("classes"))) if missing else found


def _transformed(fields: Fields, columns: Columns) -> Outputs:
    prepared = Prepared(columns)
    prepared.apply(fields.each("steps"))
    return {"transformed": prepared.matrix(tuple(prepared.inputs))}


def _columns(fields: Fields, columns: Columns) -> tuple[Prepared, str]:
    """Returns the columns before preprocessing, and whether a row is dropped, `bool [N, 1]` (empty: none is)."""
    if fields.has("recipe"):
        prepared = Prepared(columns)
        prepared.apply(fields.each("recipe"))
        return prepared, ""
    if not fields.has("design"):
        return Prepared(columns, list(fields.texts("names"))), ""
    graph, design = columns.graph, Design(fields.of("design"), columns)
    names, prepared = fields.texts("names"), Prepared(columns, [])
    matrix = design.matrix()
    if design.intercept:
        matrix = graph.op("Gather", matrix, graph.const(list(range(1, len(names) + 1)), "int64"), axis=1)
    prepared.put_matrix(names, matrix)
    for name in fields.texts("dropped"):
        del prepared.inputs[name], prepared.values[name]
    if not fields.flag("dropping"):
        return prepared, ""
    gone = graph.op("Cast", graph.op("IsNaN", matrix), to=_INT32)
    return prepared, graph.op("Cast", graph.op("ReduceMax", gone, graph.const([1], "int64"), keepdims=1), to=_BOOL)


def _masked(graph: GraphBuilder, found: Outputs, missing: str, classes: int) -> Outputs:
    flat = graph.op("Squeeze", missing, graph.const([1], "int64"))
    masked = {}
    for name, value in found.items():
        if name == "index":
            masked[name] = graph.op("Where", flat, graph.const(classes, "int64"), value)
        else:
            table = graph.op("Reshape", value, graph.const([-1, classes or 1], "int64"))
            masked[name] = graph.op("Where", missing, graph.const([[float("nan")]]), table)
    return masked


def _bounded(fields: Fields, graph: GraphBuilder, found: Outputs) -> Outputs:
    value = found["prediction"]
    if fields.has("bounds"):
        for test, bound in zip(("Less", "Greater"), fields.numbers("bounds").tolist(), strict=True):
            if bound == bound:
                edge = graph.const(bound)
                value = graph.op("Where", graph.op(test, value, edge), edge, value)
    return {"prediction": value}


def _classified(fields: Fields, graph: GraphBuilder, found: Outputs) -> Outputs:
    rule = fields.text("rule")
    if "prediction" in found:
        classes = len(fields.texts("classes"))
        width = graph.const([-1, 1 if classes == 2 else classes], "int64")
        return _RULES[rule](graph, graph.op("Reshape", found["prediction"], width), fields)
    if "probabilities" not in found:
        raise Unsupported(
            "the model inside caret's train() returns no probabilities (was it fitted with classProbs = TRUE?)"
        )
    order = graph.const(fields.integers("order"), "int64")
    probabilities = graph.op("Gather", found["probabilities"], order, axis=1)
    if rule == "same" and "index" in found:
        back = [*fields.integers("order").argsort().tolist(), len(fields.texts("classes"))]
        return {"index": graph.op("Gather", graph.const(back, "int64"), found["index"]), "probabilities": probabilities}
    index = index_of_largest(graph, probabilities, len(fields.texts("classes")))
    return {"index": index, "probabilities": probabilities}


def _both(graph: GraphBuilder, value: str, test: str, first: bool) -> Outputs:
    """Returns two classes from the probability of one of them, by whether it exceeds a half; NaN stays missing."""
    other = graph.op("Sub", graph.const(1.0), value)
    passed = graph.op(test, value, graph.const(0.5))
    yes, no = (0, 1) if first else (1, 0)
    chosen = graph.op("Where", passed, graph.const(yes, "int64"), graph.const(no, "int64"))
    chosen = graph.op("Where", graph.op("IsNaN", value), graph.const(2, "int64"), chosen)
    pair = (value, other) if first else (other, value)
    index = graph.op("Squeeze", chosen, graph.const([1], "int64"))
    return {"index": index, "probabilities": graph.op("Concat", *pair, axis=1)}


def _above(graph: GraphBuilder, value: str, fields: Fields) -> Outputs:
    """For earth: divides several responses by their sum; the class is the largest one's."""
    classes = len(fields.texts("classes"))
    if classes == 2:
        return _both(graph, value, "Greater", first=False)
    total = graph.op("ReduceSum", value, graph.const([1], "int64"), keepdims=1)
    return {"index": index_of_largest(graph, value, classes), "probabilities": graph.op("Div", value, total)}


_RULES: dict[str, Callable[[GraphBuilder, str, Fields], Outputs]] = {
    "second_from_half": lambda graph, value, fields: _both(graph, value, "GreaterOrEqual", first=False),
    "first_from_half": lambda graph, value, fields: _both(graph, value, "GreaterOrEqual", first=True),
    "second_above_half": _above,
}


def _thresholds(fields: Fields) -> Thresholds:
    """Returns the nested model's thresholds, for the columns that reach it unchanged."""
    if not fields.has("inner") or fields.has("recipe") or fields.each("steps"):
        return {}
    inner = fields.of("inner")
    found = kind_of(inner.text("kind")).thresholds
    outer = {each.text("name") for each in fields.each("inputs")}
    return {name: numbers for name, numbers in found(inner).items() if name in outer} if found else {}


_INT32, _BOOL = 6, 9

KIND = Kind(_convert, _thresholds)
