"""Maps categories to numbers: one lookup per column, in the type in which the original compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import GraphBuilder, Value
from ..spec import Unsupported


def lookup(value: Value, categories: Any, codes: Sequence[int], unknown: int, graph: GraphBuilder) -> str:
    """Returns the code of each cell's category, `int64 [N, 1]`; `unknown` for any other cell."""
    known = list(zip(_plain(categories), codes))
    value, keys, found = _text_keys(value, known) if value.dtype == "string" else _number_keys(value, known, graph)
    if not keys:
        return _constant(value, unknown, graph)
    return graph.ml(
        "LabelEncoder",
        value.name,
        keys_tensor=tensor(keys, value.dtype),
        values_tensor=tensor(found, "int64"),
        default_tensor=tensor([unknown], "int64"),
    )


def _text_keys(value: Value, known: list[tuple[Any, int]]) -> tuple[Value, list[Any], list[int]]:
    keys: dict[str, int] = {}
    for category, code in known:
        if not isinstance(category, str) and not is_missing(category):
            raise Unsupported(
                f"column {value.column or value.name!r} is text, but its categories contain {category!r} "
                f"({type(category).__name__}): give the column one type before the fit"
            )
        text = value.missing if is_missing(category) else category
        # None precedes NaN among the categories, and a missing cell is None where the model knows None
        if text is not None:
            keys.setdefault(text, code)
    return value, list(keys), list(keys.values())


def _number_keys(value: Value, known: list[tuple[Any, int]], graph: GraphBuilder) -> tuple[Value, list[Any], list[int]]:
    numbers = [(float("nan") if is_missing(c) else c, code) for c, code in known if not isinstance(c, str)]
    if value.dtype in ("float32", "float64"):
        return _float_keys(graph.cast(value, graph.real), numbers, graph.real)
    whole = [(int(c), code) for c, code in numbers if c == c and abs(c) < 2**63 and int(c) == c]
    return graph.cast(value, "int64"), [c for c, _ in whole], [code for _, code in whole]


def _float_keys(value: Value, numbers: list[tuple[Any, int]], real: str) -> tuple[Value, list[Any], list[int]]:
    import numpy as np

    # None precedes NaN among the categories, and a missing cell is None where the model knows None
    gone = [i for i, (c, _) in enumerate(numbers) if c != c]
    numbers = [each for i, each in enumerate(numbers) if i not in gone[1:]]
    keys = np.array([c for c, _ in numbers], np.float64)
    if real == "float32" and not np.array_equal(keys, keys.astype(np.float32), equal_nan=True):
        raise Unsupported(f"categories of column {value.column or value.name!r} are not exact in float32")
    return value, keys.tolist(), [code for _, code in numbers]


def _constant(value: Value, number: int, graph: GraphBuilder) -> str:
    """Returns a column of one number, `int64 [N, 1]`."""
    shape = graph.op("Shape", value.name)
    return graph.op("Expand", graph.const([[number]], "int64"), shape)


def tensor(cells: Sequence[Any], dtype: str) -> Any:
    """Returns the ONNX tensor `[cells]` for an attribute, of numbers or of text."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    if dtype == "string":
        # not helper.make_tensor, which drops a trailing NUL
        texts = [c.encode() for c in cells]
        return TensorProto(data_type=TensorProto.STRING, dims=[len(cells)], string_data=texts)
    return numpy_helper.from_array(np.array(cells, dtype))


def is_missing(category: Any) -> bool:
    """Returns whether a category represents a missing cell: None, NaN or pandas' NA."""
    return category is None or type(category).__name__ == "NAType" or category != category


def known_values(categories: Any) -> list[Any]:
    """Returns the categories as Python values; None and NaN represent a missing cell."""
    return [None if type(c).__name__ == "NAType" else c for c in _plain(categories)]


def _plain(categories: Any) -> list[Any]:
    """Returns the categories as Python values; dates as integers in their own unit, as in a column of dates."""
    if categories.dtype.kind == "M":
        return [int(c) for c in categories.astype("int64").tolist()]
    values: list[Any] = categories.tolist()
    moment = next((v for v in values if hasattr(v, "tzinfo")), None)
    if moment is not None:
        raise Unsupported(f"dates with a time zone ({moment!r}) as categories have no converter: drop the zone first")
    return values
