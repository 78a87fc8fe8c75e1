"""From what the original refused to rules in the signature; a refusal that no rule can say stops the build."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from converters._probes import LADDER
from converters.spec import Signature, TensorSpec

from ..errors import ConversionError
from ..rules import refused_rows
from .probes import Probes

FIRM = ("example", "threshold", "category", "text")
NUMBERS = ("threshold", "category", "odd", "large")
NEAR, TINY = 1e-5, 1e-40
"""How far from a bound its probes lie: a step of float32, relative and beside zero."""
RULES = ("nullable", "limit", "least", "most", "values")


def with_rules(signature: Signature, probes: Probes) -> Signature:
    """The signature with a rule for everything that the original refused."""
    if not probes.refused:
        return signature
    if signature.task == "graph":
        inputs = signature.inputs
    else:
        inputs = tuple(_input_rules(spec, probes) for spec in signature.inputs)
    ruled = replace(signature, inputs=inputs)
    _check(ruled, probes)
    return ruled


def _input_rules(spec: TensorSpec, probes: Probes) -> TensorSpec:
    if spec.width == 1 and spec.name != "X":
        return _rules(spec, probes, spec.name, probes.rows[spec.name])
    features = []
    for i, (name, column) in enumerate(zip(spec.columns or probes.features, probes.features, strict=True)):
        single = replace(spec, name=name, shape=("N", 1), columns=())
        features.append(_rules(single, probes, column, probes.rows[spec.name][:, i]))
    rules = [{name: getattr(feature, name) for name in RULES} for feature in features]
    if all(rule == rules[0] for rule in rules):
        return replace(spec, **rules[0])
    return replace(spec, features=tuple(features))


def _rules(spec: TensorSpec, probes: Probes, column: str, cells: np.ndarray[Any, Any]) -> TensorSpec:
    mine = probes.columns == column
    refused = np.zeros(probes.count, bool)
    refused[list(probes.refused)] = True

    def refuses(*kinds: str) -> bool:
        return bool((mine & refused & np.isin(probes.kinds, kinds)).any())

    if refuses("missing"):
        spec = replace(spec, nullable=False)
    if probes.bounds.get(column) and not spec.is_text:
        tried = mine & np.isin(probes.kinds, NUMBERS)
        spec = _bounded(spec, cells[tried & ~refused], cells[tried & refused], probes.bounds[column])
        refused &= ~_outside(spec, cells)
    if refuses("unseen", "odd") and probes.values.get(column):
        return replace(spec, values=tuple(probes.values[column]))
    if refuses("large"):
        spec = replace(spec, limit=_limit(cells[mine & refused & (probes.kinds == "large")]))
    return spec


def _bounded(spec: TensorSpec, taken: np.ndarray[Any, Any], refused: np.ndarray[Any, Any], bounds: Any) -> TensorSpec:
    """The least and the most number that were answered, where refusals begin right beside them, at a known bound."""
    taken, refused = (values[~np.isnan(values.astype(float))] for values in (taken, refused))
    if not taken.size:
        return spec
    below, above = refused[refused < taken.min()], refused[refused > taken.max()]
    if below.size and _at(bounds, below.max(), taken.min(), spec):
        spec = replace(spec, least=float(taken.min()) + 0.0)
    if above.size and _at(bounds, above.min(), taken.max(), spec):
        spec = replace(spec, most=float(taken.max()) + 0.0)
    return spec


def _at(bounds: Any, refused: Any, taken: Any, spec: TensorSpec) -> bool:
    """Whether both numbers lie at one of the bounds."""
    return any(
        max(abs(float(refused) - b), abs(float(taken) - b)) <= (NEAR * abs(b) + TINY if spec.is_float else 1)
        for b in bounds
    )


def _outside(spec: TensorSpec, cells: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    least = -np.inf if spec.least is None else spec.least
    most = np.inf if spec.most is None else spec.most
    with np.errstate(invalid="ignore"):
        return np.asarray((cells < least) | (cells > most))


def _limit(refused: np.ndarray[Any, Any]) -> float | None:
    """The largest step of the ladder below all numbers that are refused; None where even the first is refused."""
    least = np.abs(refused.astype(float)).min()
    return max((step for step in LADDER if step < least), default=None)


def _check(signature: Signature, probes: Probes) -> None:
    ruled = refused_rows(signature, probes.rows, probes.count)
    for row, message in probes.refused.items():
        if not ruled[row]:
            raise ConversionError(
                f"the original refuses some rows and no rule can say which: probe {probes.kinds[row]!r} of column "
                f"{probes.columns[row]!r}, {_shown(probes, row)}: {message}"
            )
    firm = np.flatnonzero(ruled & np.isin(probes.kinds, FIRM))
    answered = [int(row) for row in firm if row not in probes.refused]
    if answered:
        raise ConversionError(
            f"the rules that the original's refusals lead to forbid a row that it answers: "
            f"{_shown(probes, answered[0])}"
        )


def _shown(probes: Probes, row: int) -> str:
    cells = {name: values[row] for name, values in probes.rows.items()}
    column = str(probes.columns[row])
    return f"{column} = {cells[column]!r}" if column in cells else str(cells)[:400]
