"""The same rows in batches of other sizes and in another order: no answer may depend on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Axes, Table
from mlpack_toolkit.converters.table import rows_of, take

from ..bundle.golden import Tolerance
from .comparison import Comparison, Errors, compare
from .runners import Runner

ONE, NONE, PERMUTED = "batch of 1", "batch of 0", "permuted batch"
MANY = 4096
MANY_TENSORS = 64
"""The same for a model of tensors, which may take long for a row: kernels for many rows are in use by then."""
SINGLES = 12
"""Rows that are asked alone."""
MOST_BYTES = 64 << 20
"""Of the inputs of a large batch, where a row is large."""
Array = np.ndarray[Any, Any]


def in_other_sizes(
    runner: Runner, rows: Table, want: Table, allowed: Mapping[str, Tolerance], axes: Axes | None, alone: int = SINGLES
) -> dict[str, dict[str, Errors]]:
    """The errors by kind of batch, then by output. `want`: the reference answers to `rows`; `alone`: most rows asked
    alone."""
    return {kind: found.errors[kind] for kind, found in _compared(runner, rows, want, allowed, axes, alone)}


def _compared(
    runner: Runner, rows: Table, want: Table, allowed: Mapping[str, Tolerance], axes: Axes | None, alone: int
) -> Iterator[tuple[str, Comparison]]:
    count, sizes = rows_of(want, axes), runner.signature.batch_sizes
    singles = np.unique(np.linspace(0, count - 1, min(alone, count) if 1 in sizes else 0).astype(int))
    if singles.size:
        answers = [runner.run(take(rows, [i], axes)) for i in singles]
        stacked = {n: _stacked([a[n] for a in answers], 0 if axes is None else axes.get(n)) for n in want}
        yield ONE, compare(take(want, singles, axes), stacked, _kinds(ONE, singles), allowed, axes)
    most = MANY_TENSORS if runner.signature.takes_tensors else MANY
    cut = slice(min(_many(rows, count, most), sizes.largest))
    order = (np.random.default_rng(0).permutation(max(count, most)) % count)[cut]
    many = runner.run(take(rows, order, axes))
    yield PERMUTED, compare(take(want, order, axes), many, _kinds(PERMUTED, order), allowed, axes)
    if runner.takes_no_rows and 0 in sizes:
        none = slice(0, 0)
        yield NONE, _empty(take(want, none, axes), runner.run(take(rows, none, axes)))


def _many(rows: Table, count: int, most: int) -> int:
    """How many rows a large batch has: `most`, of images no more than what fits in `MOST_BYTES`."""
    each = sum(values.nbytes for values in rows.values()) / count
    return int(min(most, max(count, MOST_BYTES // max(each, 1))))


def _stacked(parts: Sequence[Array], axis: int | None) -> Array:
    """The parts one below the other; nothing where their shapes differ, which no answer's is equal to."""
    if axis is None or any(part.ndim <= axis for part in parts):
        return np.empty(0)
    alike = len({part.shape[:axis] + part.shape[axis + 1 :] for part in parts}) == 1
    return np.concatenate(parts, axis) if alike else np.empty(0)


def _kinds(name: str, positions: Array) -> Array:
    return np.full(len(positions), name, object)


def _empty(want: Table, got: Table) -> Comparison:
    """A batch of no rows counts as one row that differs where a shape does."""
    errors = {n: Errors(1, int(got[n].shape != w.shape)) for n, w in want.items()}
    return Comparison({NONE: errors}, np.array([any(e.mismatches for e in errors.values())]))
