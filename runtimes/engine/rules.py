"""Input constraints, which every runtime enforces: derived from the original's rejections, kept in the signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import SUM, Signature, Table, TensorSpec

Mask = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Violation:
    """One cell that a model does not take."""

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}, column {self.column!r}: {self.reason}"


def violations(signature: Signature, table: Table) -> Iterator[Violation]:
    """The sizes that rules forbid, then such cells, column by column."""
    yield from _sizes(signature, table)
    for spec, values in cells(signature, table):
        for mask, reason in _broken(spec, values):
            for row in np.flatnonzero(_rows(mask, spec.batch_axis)):
                yield Violation(int(row), spec.name, reason)


def refused_rows(signature: Signature, table: Table, rows: int) -> Mask:
    """Which rows contain a forbidden cell."""
    refused = np.full(rows, any(_sizes(signature, table)), bool)
    for spec, values in cells(signature, table):
        for mask, _ in _broken(spec, values):
            refused |= _rows(mask, spec.batch_axis)
    return refused


def _sizes(signature: Signature, table: Table) -> Iterator[Violation]:
    """Every dimension whose size is out of its range, or not the sum that its name says."""
    ranges = {each.name: each for each in signature.ranges}
    for spec in signature.inputs:
        for dim, size in zip(spec.shape, table[spec.name].shape, strict=False):
            allowed = ranges.get(str(dim))
            if allowed is not None and size not in allowed:
                takes = f"{allowed.least} to {allowed.most}" if allowed.most is not None else f"{allowed.least} or more"
                yield Violation(0, spec.name, f"a size of {size} along {dim!r}, and the model takes {takes}")
    yield from _sums(signature, table)


def _sums(signature: Signature, table: Table) -> Iterator[Violation]:
    """Every dimension that is the sum of others, and has another size."""
    if not any(SUM in str(dim) for spec in signature.inputs for dim in spec.shape):
        return
    found = [(t.name, str(d), n) for t in signature.inputs for d, n in zip(t.shape, table[t.name].shape, strict=False)]
    sizes = {dim: size for _, dim, size in found}
    for name, dim, size in found:
        wanted = sum(sizes.get(part, 0) for part in dim.split(SUM))
        if SUM in dim and size != wanted:
            yield Violation(0, name, f"a size of {size} along {dim!r}, which is {wanted} by the other inputs")


def cells(signature: Signature, table: Table) -> Iterator[tuple[TensorSpec, np.ndarray[Any, Any]]]:
    """Each rule with its cells: `[n]`, or `[n, width]` where one rule applies to a whole matrix."""
    for spec in signature.inputs:
        values = table[spec.name]
        if spec.features:
            yield from ((feature, values[:, i]) for i, feature in enumerate(spec.features))
        else:
            yield spec, values


def _broken(spec: TensorSpec, values: np.ndarray[Any, Any]) -> Iterator[tuple[Mask, str]]:
    missing = _missing(spec, values)
    if not spec.nullable and missing is not None:
        yield missing, "a missing value, and the model takes none here"
    if spec.is_text and spec.missing:
        yield np.asarray(values == spec.missing, bool), f"the text {spec.missing!r} stands for a missing cell"
    yield from _beyond(spec, values)
    if spec.values is not None:
        known = _listed(spec.values)
        yield _outside(spec, values, missing), f"a value that the model does not know; it knows {known}"


def _beyond(spec: TensorSpec, values: np.ndarray[Any, Any]) -> Iterator[tuple[Mask, str]]:
    with np.errstate(invalid="ignore", over="ignore"):
        if spec.limit is not None:
            beyond = _above(values, spec.limit) | _below(values, -spec.limit)  # the least int64 has no magnitude
            yield beyond, f"a number beyond ±{spec.limit:g}, larger than the model was proved for"
        if spec.least is not None:
            yield _below(values, spec.least), f"a number below {spec.least!r}, and the model takes none there"
        if spec.most is not None:
            yield _above(values, spec.most), f"a number above {spec.most!r}, and the model takes none there"


def _above(values: np.ndarray[Any, Any], bound: float) -> Mask:
    """Numbers beyond the limit, infinity included: in a narrow type the bound itself becomes infinity, and nothing is
    above that."""
    above = np.asarray(values > bound)
    return above | np.isposinf(values) if values.dtype.kind == "f" and isfinite(bound) else above


def _below(values: np.ndarray[Any, Any], bound: float) -> Mask:
    below = np.asarray(values < bound)
    return below | np.isneginf(values) if values.dtype.kind == "f" and isfinite(bound) else below


def _missing(spec: TensorSpec, values: np.ndarray[Any, Any]) -> Mask | None:
    if spec.is_text:
        return np.asarray(values == np.array(None, object), np.bool_)
    return np.isnan(values) if values.dtype.kind == "f" else None


def _outside(spec: TensorSpec, values: np.ndarray[Any, Any], missing: Mask | None) -> Mask:
    if spec.is_text:
        known = set(spec.values or ())
        inside = np.fromiter((v in known for v in values.ravel()), bool, values.size).reshape(values.shape)
    else:
        inside = np.isin(values, np.array(spec.values))
    return ~inside if missing is None else ~(inside | missing)


def _rows(mask: Any, axis: int | None) -> Mask:
    """Which rows contain a cell of the mask; a tensor without a batch axis is one row."""
    flat = np.asarray(mask, bool)
    if axis is None or axis >= flat.ndim:
        return np.atleast_1d(flat.any())
    return np.asarray(flat.any(axis=tuple(i for i in range(flat.ndim) if i != axis)))


def _listed(values: tuple[Any, ...]) -> str:
    shown = ", ".join(repr(v) for v in values[:8])
    return shown + (f", … ({len(values)} in all)" if len(values) > 8 else "")
