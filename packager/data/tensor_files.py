"""Reads a file's tensors for a graph: in its ranks and types, cut along the batch axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import INTEGERS, Signature, Table, TensorSpec
from mlpack_toolkit.converters.table import rows_of, take

from ..errors import UsageError
from .arrow import BATCH_ROWS, listed

MOST_BYTES = 64 << 20
"""The most bytes of the tensors of one piece; a single row may be larger."""
Array = np.ndarray[Any, Any]


def tensors_for(signature: Signature, table: Table, where: str) -> Table:
    """The inputs of a graph from the arrays of a file; raises `UsageError` where they do not fit."""
    if len(signature.inputs) == len(table) == 1:
        table = {signature.inputs[0].name: next(iter(table.values()))}
    absent = [t.name for t in signature.inputs if t.name not in table]
    if absent:
        raise UsageError(f"{where} lacks the input {absent[0]!r}; it has: {listed(table)}")
    found = {t.name: _typed(t, t.as_written(t.as_read(table[t.name])), where) for t in signature.inputs}
    _check_shapes(signature, found, where)
    return found


def _check_shapes(signature: Signature, found: Table, where: str) -> None:
    sizes: dict[str, int] = {}
    for spec in signature.inputs:
        shape = found[spec.name].shape
        pairs = list(zip(spec.shape, shape, strict=False))
        agree = all(size == (d if isinstance(d, int) else sizes.setdefault(d, size)) for d, size in pairs)
        if len(shape) != len(spec.shape) or not agree:
            raise UsageError(
                f"{where}: {spec.name!r} has the shape {list(shape)}, the model takes {list(spec.shape)}; a named "
                "dimension has one size in all inputs"
            )


def _typed(spec: TensorSpec, values: Array, where: str) -> Array:
    kind = values.dtype.kind
    if spec.is_text != (kind in "OU"):
        holds, takes = ("numbers", "text") if spec.is_text else ("text", "numbers")
        raise UsageError(f"{where}: {spec.name!r} holds {holds}, the model takes {takes} there")
    if spec.dtype == "bool" and kind != "b" and not np.isin(values, (0, 1)).all():
        raise UsageError(f"{where}: {spec.name!r} must hold true or false")
    if spec.dtype in INTEGERS:
        bounds = np.iinfo(spec.dtype)
        if kind == "f" and not (np.isfinite(values) & (values == np.floor(values))).all():
            raise UsageError(f"{where}: {spec.name!r} holds fractions or missing values, the model takes whole numbers")
        if kind != "b" and ((values < bounds.min) | (values > bounds.max)).any():
            raise UsageError(f"{where}: {spec.name!r} holds a number that {spec.dtype} cannot hold")
    return values


def pieces(signature: Signature, table: Table) -> Iterator[Table]:
    """The tensors, cut along their batch axes into pieces of bounded size; one piece if the answers have no batch."""
    axes = signature.batch_axes
    rows = rows_of(table, axes)
    if not signature.has_rows or not rows:
        yield table
        return
    each = sum(values.nbytes for values in table.values()) // rows
    step = max(1, min(BATCH_ROWS, MOST_BYTES // max(each, 1)))
    yield from (take(table, slice(start, start + step), axes) for start in range(0, rows, step))
