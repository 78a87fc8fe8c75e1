"""Category columns as the integer codes that a booster uses, NaN where the category is missing or unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..spec import Scalar, Unsupported
from .builder import Frame, GraphBuilder, Value


def coded(graph: GraphBuilder, frame: Frame, known: Mapping[int, Sequence[Scalar]], dtype: str) -> Value:
    """Returns the frame as a matrix `[N, width]` of type `dtype`, the columns in `known` as category positions."""
    if not known:
        return graph.matrix(frame, dtype)
    columns = graph.columns(frame)
    return graph.matrix(
        tuple(_codes(graph, c, known[i], dtype) if i in known else c for i, c in enumerate(columns)), dtype
    )


def _codes(graph: GraphBuilder, column: Value, categories: Sequence[Scalar], dtype: str) -> Value:
    text = [isinstance(c, str) for c in categories]
    if any(text) if column.dtype != "string" else not all(text):
        kind = "text" if any(text) else "numbers"
        raise Unsupported(
            f"the categories of column {column.column or column.name!r} were {kind} when the model was fitted, "
            f"but the column is {column.dtype}: give the example with the original column types, as parquet or JSON "
            "if a csv reads text as numbers"
        )
    find = _text_codes if column.dtype == "string" else _number_codes
    return Value(find(graph, column, categories, dtype), dtype)


def _text_codes(graph: GraphBuilder, column: Value, categories: Sequence[Scalar], dtype: str) -> str:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    keys = helper.make_tensor("keys", TensorProto.STRING, [len(categories)], [str(c).encode() for c in categories])
    codes = graph.ml(
        "LabelEncoder",
        column.name,
        keys_tensor=keys,
        values_tensor=numpy_helper.from_array(np.arange(len(categories), dtype=np.float32), "values"),
        default_tensor=numpy_helper.from_array(np.array([np.nan], np.float32), "default"),
    )
    return graph.cast(Value(codes, "float32"), dtype).name


def _number_codes(graph: GraphBuilder, column: Value, categories: Sequence[Scalar], dtype: str) -> str:
    import numpy as np

    values: Any = np.array([categories])
    if column.dtype == "bool" or (column.dtype == "int64" and values.dtype.kind == "b"):
        column, values = graph.cast(column, "int64"), values.astype(np.int64)
    elif column.dtype == "int64" and values.dtype.kind == "f":
        column = graph.cast(column, "float64")
    same = graph.op("Equal", column.name, graph.const(values, column.dtype))
    positions = np.arange(len(categories), dtype=float)[None, :]
    found = graph.op("Where", same, graph.const(positions, dtype), graph.const([[-1.0]], dtype))
    code = graph.op("ReduceMax", found, graph.const([1], "int64"), keepdims=1)
    absent = graph.op("Less", code, graph.const([[0.0]], dtype))
    return graph.op("Where", absent, graph.const([[np.nan]], dtype), code)
