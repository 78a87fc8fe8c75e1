"""Compares two sets of answers: labels exactly, NaN in the same places, floats within the tolerance of their type."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlpack_toolkit.converters.bfloat16 import spacing
from mlpack_toolkit.converters.spec import BFLOAT16, Axes, Signature, Table
from mlpack_toolkit.converters.table import rows_of, take

from ..bundle.golden import GoldenCase, Tolerance
from ..errors import ConversionError

TYPE_TOLERANCE = {
    "bfloat16": Tolerance(rtol=2**-7, atol=2**-7),
    "float16": Tolerance(rtol=2**-10, atol=2**-10),
    "float32": Tolerance(rtol=1e-5, atol=1e-6),
    "float64": Tolerance(rtol=1e-9, atol=1e-10),
}
"""By type; of float16 and bfloat16 the distance of two neighbouring numbers at 1."""
WORST_SHOWN = 5
CELLS_SHOWN, FIRST_SHOWN = 50, 10
"""Most numbers of a tensor in a row that is shown, and how many of a larger one."""
BLOCK = 1 << 22
"""Numbers that are compared at a time: 32 MB of float64."""
LARGEST = 1.7976931348623157e308
"""Replaces an infinite error: JSON has no infinity."""
Mask = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Errors:
    """Largest errors of one output over some rows, and how many rows differ by more than is allowed.

    `share`: the largest error as a share of what its own value is allowed (above 1: a mismatch).
    """

    rows: int
    mismatches: int
    max_abs: float = 0.0
    max_rel: float = 0.0
    max_ulp: float = 0.0
    share: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Comparison:
    """`errors`: by kind of probe, then by output. `differs`: per row."""

    errors: dict[str, dict[str, Errors]]
    differs: Mask

    @property
    def equal(self) -> bool:
        return not self.differs.any()


def tolerances(
    signature: Signature,
    want: Table,
    example: Mask,
    rtol: float | None = None,
    atol: float | None = None,
    single: Collection[str] = (),
    small: bool = False,
) -> dict[str, Tolerance]:
    """The tolerance of each float output: that of the coarser of the graph's type and the original's.

    `single`: outputs that a part of the original computes in float32, whatever their type. `small`: an output whose
    largest magnitude is below 1 gets an absolute part that is smaller by as much.

    The absolute part grows with the output's usual size: the median magnitude of the answers to the example rows
    (at least 1; of several columns the smallest), so that an output near zero among prices of 300 000 gets the
    tolerance of prices.
    """
    found = {}
    for spec in signature.outputs:
        values = want[spec.name]
        if values.dtype.kind != "f" or spec.name == "label":
            continue
        default = _coarsest(spec.name, spec.dtype, values.dtype.name, *(["float32"] if spec.name in single else []))
        rows = by_row(values, spec.batch_axis)
        own = rows if spec.batch_axis is None else rows[example]
        scale = max(_largest(own, 1.0) if small else 1.0, _usual_size(own))
        found[spec.name] = Tolerance(
            default.rtol if rtol is None else rtol,
            default.atol * scale if atol is None else atol,
            BFLOAT16 if spec.dtype == BFLOAT16 else "",
        )
    return found


def _largest(values: np.ndarray[Any, Any], most: float) -> float:
    """The largest magnitude, at most `most`."""
    finite = np.abs(values[np.isfinite(values)].astype(np.float64))
    return float(f"{min(float(finite.max(initial=0.0)), most):.3g}")


def _coarsest(output: str, *dtypes: str) -> Tolerance:
    """The tolerance of the coarsest of the types; `ConversionError` for one that has no entry in the table."""
    unknown = [dtype for dtype in dtypes if dtype not in TYPE_TOLERANCE]
    if unknown:
        known = ", ".join(TYPE_TOLERANCE)
        raise ConversionError(
            f"the output {output!r} has the type {unknown[0]}, for which there is no tolerance; there are tolerances "
            f"for: {known}: cast it to one of them"
        )
    return max((TYPE_TOLERANCE[dtype] for dtype in dtypes), key=lambda allowed: allowed.rtol)


def _usual_size(values: np.ndarray[Any, Any]) -> float:
    columns = np.abs(values.astype(np.float64)).reshape(len(values), int(np.prod(values.shape[1:]))).T
    medians = [np.median(column[np.isfinite(column)]) for column in columns if np.isfinite(column).any()]
    return float(f"{min(medians):.3g}") if medians else 1.0


def by_row(values: np.ndarray[Any, Any], axis: int | None) -> np.ndarray[Any, Any]:
    """The values with their batch axis first; of a tensor without one, a single row that is all of it."""
    return values[None] if axis is None else np.moveaxis(values, axis, 0)


def compare(
    want: Table, got: Table, kinds: Mask, allowed: Mapping[str, Tolerance], axes: Axes | None = None
) -> Comparison:
    """Every output of every row; an output of another shape differs everywhere.

    `axes`: the batch axis of each output, the first one if not given; an output without one belongs to every row.
    """
    differs = np.zeros(len(kinds), bool)
    errors: dict[str, dict[str, Errors]] = {str(kind): {} for kind in dict.fromkeys(kinds)}
    for name, expected in want.items():
        actual, axis = got.get(name), 0 if axes is None else axes.get(name)
        distance: Distance | None = None
        if actual is None or actual.shape != expected.shape:
            bad = np.ones(len(kinds), bool)
        elif name in allowed:
            bad, distance = _floats(by_row(expected, axis), by_row(actual, axis), allowed[name])
        else:
            bad = _rows(~_same(by_row(expected, axis), by_row(actual, axis)))
        bad, distance = _for_rows(bad, len(kinds)), distance and tuple(_for_rows(d, len(kinds)) for d in distance)
        differs |= bad
        for kind, by_output in errors.items():
            by_output[name] = _summary(kinds == kind, bad, distance)
    return Comparison(errors, differs)


def _for_rows(values: np.ndarray[Any, Any], rows: int) -> np.ndarray[Any, Any]:
    return values if len(values) == rows else np.broadcast_to(values, rows)


def _same(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> Mask:
    if expected.dtype.kind == "f":
        return np.asarray((expected == actual) | (np.isnan(expected) & np.isnan(actual)))
    if (expected.dtype.kind in "OU") != (actual.dtype.kind in "OU"):
        return np.zeros(expected.shape, bool)
    return np.asarray(expected == actual, np.bool_)


Distance = tuple[np.ndarray[Any, Any], ...]
"""Per row the largest error: absolute, relative, in ULP, and as a share of the tolerance."""


def _floats(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any], allowed: Tolerance) -> tuple[Mask, Distance]:
    """Some rows at a time: each step makes an array of float64 of its own, too many for large answers."""
    rows = max(1, BLOCK // max(1, int(np.prod(expected.shape[1:]))))
    starts = range(0, max(1, len(expected)), rows)
    blocks = [_block(expected[i : i + rows], actual[i : i + rows], allowed) for i in starts]
    bad, distances = zip(*blocks, strict=True)
    return np.concatenate(bad), tuple(np.concatenate(part) for part in zip(*distances, strict=True))


def _block(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any], allowed: Tolerance) -> tuple[Mask, Distance]:
    want, got = expected.astype(np.float64), actual.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        difference = np.abs(got - want)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        close = difference <= allowed.atol + allowed.rtol * np.abs(want)
        good = same | (close & np.isfinite(want) & np.isfinite(got))
        difference = np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))
        relative = np.where(difference == 0, 0.0, difference / np.abs(want))
        ulp = np.where(difference == 0, 0.0, difference / _steps(expected, actual, allowed.unit))
        share = np.where(difference == 0, 0.0, difference / (allowed.atol + allowed.rtol * np.abs(want)))
    return _rows(~good), (_most(difference), _most(relative), _most(ulp), _most(share))


def _steps(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any], unit: str) -> np.ndarray[Any, Any]:
    """The distances from the expected numbers to the next ones, in the coarser of the two types."""
    if unit == BFLOAT16:
        return spacing(expected).astype(np.float64)
    coarse = actual.dtype if actual.dtype.itemsize < expected.dtype.itemsize else expected.dtype
    return np.asarray(np.spacing(np.abs(expected).astype(coarse)), np.float64)


def _rows(bad: Mask) -> Mask:
    return np.asarray(bad.reshape(len(bad), int(np.prod(bad.shape[1:]))).any(axis=1))


def _most(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    return np.asarray(np.nan_to_num(flat, nan=np.inf).max(axis=1, initial=0.0))


def _summary(chosen: Mask, bad: Mask, distance: Distance | None) -> Errors:
    rows, mismatches = int(chosen.sum()), int(bad[chosen].sum())
    if distance is None:
        return Errors(rows, mismatches, share=LARGEST if mismatches else 0.0)
    largest = (float(part[chosen].max(initial=0.0)) for part in distance)
    return Errors(rows, mismatches, *(value if np.isfinite(value) else LARGEST for value in largest))


def worst(
    rows: Table, want: Table, got: Table, kinds: Mask, differs: Mask, axes: Axes | None = None
) -> list[dict[str, Any]]:
    """A few of the rows that differ, over all kinds: inputs, expected, got."""
    along = {n: 0 if axes is None else axes.get(n) for n in got}
    alike = {n: v for n, v in got.items() if (a := along[n]) is None or v.shape[a : a + 1] == kinds.shape}
    bad = np.flatnonzero(differs)
    first = [int(bad[np.flatnonzero(kinds[bad] == kind)[0]]) for kind in dict.fromkeys(kinds[bad])]
    chosen = list(dict.fromkeys([*first, *map(int, bad)]))[:WORST_SHOWN]
    return [
        {
            "probe": str(kinds[row]),
            "inputs": shown(take(rows, row, axes)),
            "expected": shown(take(want, row, axes)),
            "got": shown(take(alike, row, axes)),
        }
        for row in chosen
    ]


def differences(case: GoldenCase, got: Table, signature: Signature) -> list[dict[str, Any]]:
    """The worst rows of an answer to a golden case; none where it is equal."""
    axes = signature.batch_axes
    kinds = np.full(rows_of(case.answers, axes), case.probe, object)
    found = compare(case.answers, got, kinds, case.tolerances or {}, axes)
    return [] if found.equal else worst(case.rows, case.answers, got, kinds, found.differs, axes)


def shown(cells: Mapping[str, Any]) -> dict[str, Any]:
    """One row's cells for a report: large tensors by their shape and first numbers."""
    return {name: _tensor(value) if np.size(value) > CELLS_SHOWN else _plain(value) for name, value in cells.items()}


def _tensor(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The shape of many numbers, and the first of them."""
    return {"shape": list(values.shape), "first": _plain(values.reshape(-1)[:FIRST_SHOWN])}


def _plain(value: Any) -> Any:
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, list):
        return [_plain(v) for v in plain]
    return str(plain) if isinstance(plain, float) and not np.isfinite(plain) else plain
