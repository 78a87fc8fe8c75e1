"""Records, dictionaries by key, to numbers: a table's rows are its records, a missing cell is a key left out."""

from __future__ import annotations

from typing import Any

from .._graph import Frame, GraphBuilder, Value
from .._steps import Answer, Step, Thresholds
from ..spec import Scalar, Unsupported
from ._blocks import block
from ._records import by_key


def vectorize(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """A number as it is, a text as 1 in the column of its own; 0 for all that is missing or unknown."""
    import numpy as np

    if np.dtype(fitted.dtype).kind != "f":
        raise Unsupported(f"dtype={fitted.dtype!r} of DictVectorizer has no converter: float64 and float32 have")
    columns = graph.columns(frame)
    parts: list[str] = []
    places: list[int] = []
    for value, known in zip(columns, by_key(fitted).values()):
        texts = {text: column for text, column in known.items() if text is not None}
        if value.dtype == "string" and texts:
            parts.append(_ones(value, list(texts), graph))
            places += texts.values()
        elif value.dtype != "string" and None in known:
            parts.append(_number(value, fitted, graph))
            places.append(known[None])
    if not parts:
        raise Unsupported("no column of the example gives a feature of the DictVectorizer: check text against numbers")
    blank = graph.op("Mul", graph.op("Slice", parts[0], *(graph.const([n], "int64") for n in (0, 1, 1))), _zero(graph))
    whole = graph.op("Concat", *parts, _finite(blank, graph), axis=1)
    width = len(fitted.vocabulary_)
    order = [places.index(column) if column in places else len(places) for column in range(width)]
    return block(graph.op("Gather", whole, graph.const(order, "int64"), axis=1), width, graph)


def _zero(graph: GraphBuilder) -> str:
    return graph.const([[0.0]])


def _finite(name: str, graph: GraphBuilder) -> str:
    """The numbers with 0 for NaN, which is a missing cell."""
    return graph.op("Where", graph.op("IsNaN", name), _zero(graph), name)


def _ones(value: Value, texts: list[str], graph: GraphBuilder) -> str:
    """`real [N, texts]`: 1 where the cell is the text."""
    if value.missing in texts:
        raise Unsupported(f"column {value.column!r} knows the text that stands for a missing cell")
    same = graph.op("Equal", value.name, graph.const([texts], "string"))
    return graph.cast(Value(same, "bool"), graph.real).name


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
