"""Records, dictionaries by key, to numbers: a table's rows are its records, a missing cell is a key left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, Thresholds
from ..spec import Scalar, Unsupported
from ._records import by_key


def vectorize(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """A number as it is, a text as 1 in the column of its own; 0 for all that is missing or unknown."""
    import numpy as np

    if np.dtype(fitted.dtype).kind != "f":
        raise Unsupported(f"dtype={fitted.dtype!r} of DictVectorizer has no converter: float64 and float32 have")
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
        raise Unsupported("no column of the example gives a feature of the DictVectorizer: check text against numbers")
    width = len(fitted.vocabulary_)
    order = [places.index(column) if column in places else len(places) for column in range(width)]
    first = graph.op("Slice", cells[0], *(graph.const([n], "int64") for n in (0, 1, 1)))
    none = graph.op("And", first, graph.const([[False]]))
    whole = _in_order([*parts, graph.cast(Value(none, "bool"), graph.real).name], order, graph)
    held = _in_order([*cells, none], order, graph) if fitted.sparse else None  # a 0 that a record has is stored
    return Answer(transformed=(replace(graph.block(whole, width), held=held),))


def _in_order(parts: list[str], order: list[int], graph: GraphBuilder) -> str:
    return graph.op("Gather", graph.op("Concat", *parts, axis=1), graph.const(order, "int64"), axis=1)


def _there(value: Value, graph: GraphBuilder) -> str:
    """`bool [N, 1]`: whether the record has the number, be it 0."""
    gone = graph.op("IsNaN", graph.cast(value, graph.real).name)
    return graph.op("Not", gone)


def _zero(graph: GraphBuilder) -> str:
    return graph.const([[0.0]])


def _finite(name: str, graph: GraphBuilder) -> str:
    """The numbers with 0 for NaN, which is a missing cell."""
    return graph.op("Where", graph.op("IsNaN", name), _zero(graph), name)


def _same(value: Value, texts: list[str], graph: GraphBuilder) -> str:
    """`bool [N, texts]`: whether the cell is the text."""
    if value.missing in texts:
        raise Unsupported(f"column {value.column!r} knows the text that stands for a missing cell")
    return graph.op("Equal", value.name, graph.const([texts], "string"))


def _number(value: Value, fitted: Any, graph: GraphBuilder) -> str:
    import numpy as np

    own = "float32" if np.dtype(fitted.dtype) == np.float32 else graph.real
    number = graph.cast(graph.cast(value, own), graph.real)
    return _finite(number.name, graph) if value.dtype.startswith("float") else number.name


def known(fitted: Any) -> list[list[Scalar] | None]:
    """Per key its texts."""
    return [[t for t in texts if t is not None] or None for texts in by_key(fitted).values()]


def back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    """Thresholds on the output columns, seen from the columns of numbers."""
    return [thresholds[texts[None]] if None in texts else [] for texts in by_key(fitted).values()]


STEPS = {"DictVectorizer": Step(vectorize, back=back, values=known)}
