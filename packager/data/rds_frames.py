"""Reads data frames of R's `saveRDS` without R."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.rds import NA_INTEGER, Fault, Item
from mlpack_toolkit.converters.rds_frame import frame_in
from mlpack_toolkit.converters.spec import Table


def read_frame(path: Path) -> Table:
    """The columns of a data frame; factors as text, times as R's numbers. raises `ValueError` for anything else."""
    return {name: _column(name, item) for name, item in frame_in(path).items()}


def _column(name: str, item: Item) -> np.ndarray[Any, Any]:
    levels = item.text("levels")
    if levels:
        return _labels(name, item, levels)
    if item.kind == "text":
        return np.array(item.value, object)
    if item.kind == "double":
        return np.asarray(item.value, np.float64)
    if item.kind not in ("integer", "logical"):
        raise Fault(f"the column {name!r} holds neither numbers nor text")
    missing = item.value == NA_INTEGER
    if missing.any():
        return np.where(missing, np.nan, item.value.astype(np.float64))
    return np.asarray(item.value, bool if item.kind == "logical" else np.int64)


def _labels(name: str, item: Item, levels: list[str]) -> np.ndarray[Any, Any]:
    """The texts of a factor; its codes count from 1."""
    if item.kind != "integer":
        raise Fault(f"the factor {name!r} does not hold whole numbers")
    codes = item.value
    missing = codes == NA_INTEGER
    if ((codes < 1) | (codes > len(levels)))[~missing].any():
        raise Fault(f"the factor {name!r} holds a code that none of its {len(levels)} levels has")
    return np.array([None if gone else levels[v - 1] for v, gone in zip(codes.tolist(), missing, strict=True)], object)
