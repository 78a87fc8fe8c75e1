"""Answers as named columns and as row objects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Signature, Table


def columns_of(signature: Signature, answers: Table) -> Table:
    """One column per number: `label`, `probability.CLASS`, `prediction`, `NAME.0`, `probabilities_0.CLASS`, …"""
    found: Table = {}
    for spec in signature.outputs:
        values = answers[spec.name]
        values = values if spec.batch_axis in (None, 0) else np.moveaxis(values, spec.batch_axis, 0)
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        if values.ndim == 1 or values.shape[1:] == (1,):
            found[spec.name] = flat[:, 0]
        elif spec.name.startswith("probabilities") and spec.columns:
            stem = "probability" if spec.name == "probabilities" else spec.name
            found |= {f"{stem}.{c}": flat[:, i] for i, c in enumerate(spec.columns)}
        else:
            found |= {f"{spec.name}.{i}": flat[:, i] for i in range(flat.shape[1])}
    return found


def rows_of(signature: Signature, answers: Table) -> list[dict[str, Any]]:
    """One object per row, with null for NaN and the infinities, which JSON lacks."""
    columns = {name: _cells(values.tolist()) for name, values in columns_of(signature, answers).items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def bare_rows(signature: Signature, answers: Table) -> list[Any]:
    """One value per row where the model has one output column, else one object per row."""
    rows = rows_of(signature, answers)
    return [next(iter(row.values())) for row in rows] if rows and len(rows[0]) == 1 else rows


def _cells(cells: list[Any]) -> list[Any]:
    if cells and type(cells[0]) is float and not math.isfinite(sum(cells)):
        return [v if math.isfinite(v) else None for v in cells]
    return cells
