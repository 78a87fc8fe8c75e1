"""DictVectorizer: dictionaries to numbers; a table's rows are the records, a missing cell is an absent key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, Thresholds
from ..spec import Scalar, Unsupported
from ._records import by_key


def vectorize(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns a number unchanged, a text as 1 in its own column; 0 for anything missing or unknown."""
    import numpy as np

    if np.dtype(fitted.dtype).kind != "f":
        raise Unsupported(f"dtype={fitted.dtype!r} of DictVectorizer has no converter; supported: float64, float32")
    columns = graph.columns(frame)
    parts: list[str] = []
    cells: list[str] = []
    places: list[int] = []
    for value, known in zip(columns, by_key(fitted).values()):
        texts = {text: column for text, column in known.items() if text is not None}
        if value.dtype == "string" and texts:
            cells.append(_same(value, list(texts), graph))
            parts.append(graph.cast(Value(cells[-1], "bool"), graph.real).name)
            places += texts.values()
        elif value.dtype != "string" and None in known:
            cells.append(_there(value, graph))
            parts.append(_number(value, fitted, graph))
            places.append(known[None])
    if not parts:
        raise Unsupported(
            "no column of the example matches a DictVectorizer feature: check which columns are text or numbers"
        )
    width = len(fitted.vocabulary_)
    order = [places.index(column) if column in places else len(places) for column in range(width)]
    first = graph.op("Slice", cells[0], *(graph.const([n], "int64") for n in (0, 1, 1)))
    none = graph.op("And", first, graph.const([[False]]))
    whole = _in_order([*parts, graph.cast(Value(none, "bool"), graph.real).name], order, graph)
    held = _in_order([*cells, none], order, graph) if fitted.sparse else None  # a 0 in a record is stored
    return Answer(transformed=(replace(graph.block(whole, width), held=held),))


def _in_order(parts: list[str], order: list[int], graph: GraphBuilder) -> str:
    return graph.op("Gather", graph.op("Concat", *parts, axis=1), graph.const(order, "int64"), axis=1)


def _there(value: Value, graph: GraphBuilder) -> str:
    """Returns whether the record has the number, even if it is 0, `bool [N, 1]`."""
    gone = graph.op("IsNaN", graph.cast(value, graph.real).name)
    return graph.op("Not", gone)


def _zero(graph: GraphBuilder) -> str:
    return graph.const([[0.0]])


def _finite(name: str, graph: GraphBuilder) -> str:
    """Replaces NaN, a missing cell, by 0."""
    return graph.op("Where", graph.op("IsNaN", name), _zero(graph), name)


def _same(value: Value, texts: list[str], graph: GraphBuilder) -> str:
    """Returns whether the cell is the text, `bool [N, texts]`."""
    if value.missing in texts:
        raise Unsupported(f"column {value.column!r} has the text that represents a missing cell as a known value")
    return graph.op("Equal", value.name, graph.const([texts], "string"))


def _number(value: Value, fitted: Any, graph: GraphBuilder) -> str:
    import numpy as np

    own = "float32" if np.dtype(fitted.dtype) == np.float32 else graph.real
    number = graph.cast(graph.cast(value, own), graph.real)
    return _finite(number.name, graph) if value.dtype.startswith("float") else number.name


def known(fitted: Any) -> list[list[Scalar] | None]:
    """Returns the texts of each key."""
    return [[t for t in texts if t is not None] or None for texts in by_key(fitted).values()]


def back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    """Maps thresholds on the output columns to the numeric input columns."""
    return [thresholds[texts[None]] if None in texts else [] for texts in by_key(fitted).values()]


STEPS = {"DictVectorizer": Step(vectorize, back=back, values=known)}
