"""Where the batch of a graph is, by what the graph answers: exporters name dimensions as they like, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..spec import BATCH, Dim, Table, TensorSpec
from ..table import rows_of, take

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NEAR = 1e-3
"""Relative to the largest: an answer to fewer rows differs by less, as kernels choose other orders of sums."""
Shapes = Mapping[str, "tuple[Dim, ...] | None"]


def rows_alone(
    predict: Callable[[Table], Table], inputs: tuple[TensorSpec, ...], example: Table, answers: Table
) -> bool:
    """Whether the answers to a part of the rows are the same part of all answers: then they are a batch."""
    axes = {t.name: t.batch_axis for t in inputs}
    if all(axis is None for axis in axes.values()):
        return True
    rows = list(range(rows_of(example, axes)))
    try:
        if len(rows) == 1:
            whole, part = predict(take(example, [0, 0], axes)), answers
        else:
            whole, part = answers, predict(take(example, rows[1:], axes))
    except Exception:  # a size that the original refuses is no batch's
        return False
    return all(name in part and _is_part(values, part[name], max(2, len(rows))) for name, values in whole.items())


def _is_part(whole: Array, part: Array, rows: int) -> bool:
    """Whether one axis has a row less, and all else is alike."""
    grown = [a for a, (n, m) in enumerate(zip(whole.shape, part.shape)) if n == rows and m == rows - 1]
    if whole.ndim != part.ndim or len(grown) != 1:
        return False
    rest = whole[(slice(None),) * grown[0] + (slice(1, None),)]
    return rest.shape == part.shape and _alike(rest, part)


def _alike(one: Array, other: Array) -> bool:
    import numpy as np

    if one.dtype.kind not in "fc":
        return bool((one == other).all())
    scale = float(np.nanmax(np.abs(one.astype(np.float64)), initial=0.0, where=np.isfinite(one)))
    return bool(np.allclose(one.astype(np.float64), other.astype(np.float64), NEAR, NEAR * scale, equal_nan=True))


def output_shapes(
    predict: Callable[[Table], Table], inputs: tuple[TensorSpec, ...], declared: Shapes, example: Table, answers: Table
) -> dict[str, tuple[Dim, ...]]:
    """The outputs' dimensions: the batch where they grow with it, the graph's own names where it has inputs of free
    sizes, the example's sizes elsewhere."""
    axes = {t.name: t.batch_axis for t in inputs}
    count = rows_of(example, axes)
    more = _more(predict, example, axes, count)
    names = {d for t in inputs for d in t.shape if isinstance(d, str)} - {BATCH}
    return {
        name: _shape(values, declared.get(name), more.get(name) if more else None, count, bool(names))
        for name, values in answers.items()
    }


def _more(predict: Callable[[Table], Table], example: Table, axes: Mapping[str, Any], count: int) -> Table | None:
    """The answers to one row more; None where there is no batch, or the original refuses it."""
    import numpy as np

    if not count or all(axis is None for axis in axes.values()):
        return None
    try:
        return predict(take(example, np.append(np.arange(count), 0), axes))
    except Exception:  # then what the file declares must do
        return None


def _shape(values: Array, own: tuple[Dim, ...] | None, more: Array | None, count: int, free: bool) -> tuple[Dim, ...]:
    own = own if own is not None and len(own) == values.ndim else tuple(values.shape)
    grows = _growing(values, more, own, count)
    dims = [d if isinstance(d, str) and free else size for d, size in zip(own, values.shape)]
    return tuple(BATCH if axis in grows else f"{BATCH}_{axis}" if d == BATCH else d for axis, d in enumerate(dims))


def _growing(values: Array, more: Array | None, own: tuple[Dim, ...], count: int) -> set[int]:
    """The axes that have one entry for each row."""
    if more is None or more.ndim != values.ndim:
        return {axis for axis, d in enumerate(own) if d == BATCH and values.shape[axis] == count}
    pairs = enumerate(zip(values.shape, more.shape))
    return {axis for axis, (n, m) in pairs if n == count and m == count + 1}
