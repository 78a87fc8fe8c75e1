"""Derives input constraints from rejected probes; fails where no constraint can express a rejection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlpack_toolkit.converters._worker.probes import LADDER
from mlpack_toolkit.converters.spec import COLUMN, FIRST_TIME, MATRIX, Signature, TensorSpec

from ..errors import ConversionError
from .probes import Probes

Array = np.ndarray[Any, Any]

FIRM = ("example", "threshold", "category", "text")
NUMBERS = ("threshold", "category", "odd", "large")
NEAR, TINY = 1e-5, 1e-40
"""The distance of a bound's probes from it: one float32 step, relative, and absolute beside zero."""
RULES = ("nullable", "limit", "least", "most", "values")


def with_rules(signature: Signature, probes: Probes) -> Signature:
    """The signature with input constraints for everything that the original rejected."""
    if not probes.refused:
        return signature
    ruled = replace(signature, inputs=tuple(_input_rules(spec, probes) for spec in signature.inputs))
    _check(ruled, probes)
    return ruled


def _input_rules(spec: TensorSpec, probes: Probes) -> TensorSpec:
    if spec.kind not in (COLUMN, MATRIX):
        return spec
    if spec.kind != MATRIX:
        return _rules(spec, probes, spec.name, probes.rows[spec.name])
    features = []
    for i, (name, column) in enumerate(zip(spec.columns or probes.features, probes.features, strict=True)):
        single = replace(spec, name=name, shape=("N", 1)).with_cells(columns=(), kind="")
        features.append(_rules(single, probes, column, probes.rows[spec.name][:, i]))
    rules = [{name: getattr(feature, name) for name in RULES} for feature in features]
    if all(rule == rules[0] for rule in rules):
        return spec.with_cells(**rules[0])
    return spec.with_cells(features=tuple(features))


def _rules(spec: TensorSpec, probes: Probes, column: str, cells: Array) -> TensorSpec:
    mine = probes.columns == column
    refused = probes.refused_mask()

    def refuses(*kinds: str) -> bool:
        return bool((mine & refused & np.isin(probes.kinds, kinds)).any())

    if refuses("missing"):
        spec = spec.with_cells(nullable=False)
        if spec.is_date:
            spec = spec.with_cells(least=FIRST_TIME)
            refused &= ~_outside(spec, cells)
    if probes.bounds.get(column) and not spec.is_text:
        tried = mine & np.isin(probes.kinds, NUMBERS)
        own = cells[probes.kinds == "example"]
        spec = _bounded(spec, own, cells[tried & ~refused], cells[tried & refused], probes.bounds[column])
        refused &= ~_outside(spec, cells)
    if refuses("unseen", "odd") and probes.values.get(column):
        return spec.with_cells(values=tuple(probes.values[column]))
    if refuses("large"):
        spec = spec.with_cells(limit=_limit(cells[mine & refused & (probes.kinds == "large")]))
    return spec


def _bounded(spec: TensorSpec, own: Array, taken: Array, refused: Array, bounds: Any) -> TensorSpec:
    """The least and the most number around the example's, where rejections begin right beside them, at a known bound.
    Numbers beyond are rejected, too, even where the original answers some of them."""
    own, taken, refused = (values[~np.isnan(values.astype(float))] for values in (own, taken, refused))
    if not own.size:
        return spec
    least = _next(refused[refused < own.min()], np.concatenate([taken, own]), bounds, spec, 1)
    most = _next(refused[refused > own.max()], np.concatenate([taken, own]), bounds, spec, -1)
    return spec.with_cells(least=spec.least if least is None else least, most=most)


def _next(refused: Array, taken: Array, bounds: Any, spec: TensorSpec, sign: int) -> float | None:
    """The answered number next to the last rejected one; None where no known bound is there."""
    if not refused.size:
        return None
    last = sign * np.max(sign * refused)
    first = sign * np.min(sign * taken[sign * taken > sign * last])
    return float(first) + 0.0 if _at(bounds, last, first, spec) else None


def _at(bounds: Any, refused: Any, taken: Any, spec: TensorSpec) -> bool:
    """Whether both numbers are at one of the bounds."""
    return any(
        max(abs(float(refused) - b), abs(float(taken) - b)) <= (NEAR * abs(b) + TINY if spec.is_float else 1)
        for b in bounds
    )


def _outside(spec: TensorSpec, cells: Array) -> Array:
    least = -np.inf if spec.least is None else spec.least
    most = np.inf if spec.most is None else spec.most
    with np.errstate(invalid="ignore"):
        return np.asarray((cells < least) | (cells > most))


def _limit(refused: Array) -> float | None:
    """The largest step of the ladder below all rejected numbers; None where even the first is rejected."""
    least = np.abs(refused.astype(float)).min()
    return max((step for step in LADDER if step < least), default=None)


def _check(signature: Signature, probes: Probes) -> None:
    ruled = ~probes.in_reach(signature)
    for row, message in probes.refused.items():
        if not ruled[row]:
            raise ConversionError(
                "the original rejects rows for a reason that no input constraint can express: "
                f"probe {probes.kinds[row]!r} of column {probes.columns[row]!r}, {_shown(probes, row)}: {message}"
            )
    firm = np.flatnonzero(ruled & np.isin(probes.kinds, FIRM))
    answered = [int(row) for row in firm if row not in probes.refused]
    if answered:
        raise ConversionError(
            f"the input constraints derived from the original's rejections also reject a row that it answers: "
            f"{_shown(probes, answered[0])}"
        )


def _shown(probes: Probes, row: int) -> str:
    cells = {name: values[row] for name, values in probes.rows.items()}
    column = str(probes.columns[row])
    return f"{column} = {cells[column]!r}" if column in cells else str(cells)[:400]
