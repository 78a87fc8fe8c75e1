"""Provides an example row that the model accepts."""

from __future__ import annotations

import math
from typing import Any

from mlpack_toolkit.converters.spec import TensorSpec

from ...engine.binary import arrays_of
from ...engine.errors import Damaged, Refusal
from ...engine.tensors import Array
from ..model import Model
from .infer import parse
from .rows import cells_of_rows, table_of_cells


def example_row(model: Model) -> dict[str, Any]:
    """The first row of an answered golden case, else a row generated from the rules."""
    listed = (path for path in sorted(model.described.digests) if path.startswith("golden/"))
    for path in [path for path in listed if path.endswith(".request.json")][:5]:
        try:
            raw = path.replace(".json", ".bin")
            beside = model.described.read(raw) if raw in model.described.digests else None
            tensors = arrays_of(parse(model.described.read(path))["inputs"], beside)
            row = {spec.name: _first(tensors[spec.name]) for spec in model.inputs}
            model.ask(table_of_cells(model, cells_of_rows(model, [row])))
        except (Damaged, Refusal, KeyError, TypeError, IndexError):
            continue
        return row
    return {spec.name: _made_up(spec) for spec in model.inputs}


def _first(values: Array) -> Any:
    """The first row, of a tensor whose rows are its first dimension."""
    cell = values[0].tolist() if hasattr(values[0], "tolist") else values[0]
    plain = _plain(cell)
    return plain[0] if values.ndim == 2 and values.shape[1] == 1 else plain


def _plain(cell: Any) -> Any:
    if isinstance(cell, list):
        return [_plain(each) for each in cell]
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _made_up(spec: TensorSpec) -> Any:
    cell = cell_of(spec)
    for dim in reversed([d for d in spec.shape[1:] if d != 1 or len(spec.shape) > 2]):
        cell = [cell] * (dim if isinstance(dim, int) else 1)
    return cell


def cell_of(spec: TensorSpec) -> Any:
    """A value within the rules."""
    if spec.values:
        return spec.values[0]
    if spec.is_text:
        return "text"
    if spec.dtype == "bool":
        return False
    low = 0 if spec.least is None else math.ceil(spec.least)
    return low if spec.most is None or low <= spec.most else spec.most
