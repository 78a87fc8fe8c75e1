"""Data frames that R saved with `saveRDS`, read without R."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converters._rds import NA_INTEGER, Fault, Item, read
from converters.spec import Table


def read_frame(path: Path) -> Table:
    """The columns of a data frame; factors as text, times as R's numbers. `ValueError` where it is none."""
    return {name: _column(name, item) for name, item in _frame(path).items()}


def levels_in(path: Path) -> dict[str, list[str]]:
    """The levels of the factors in a data frame; its cells are not looked at."""
    return {name: item.text("levels") for name, item in _frame(path).items() if item.text("levels")}


def _frame(path: Path) -> dict[str, Item]:
    root = read(path.read_bytes()).root
    if "data.frame" not in root.text("class"):
        raise Fault(f"it holds no data frame, but: {', '.join(root.text('class')) or root.kind}")
    return root.items()


def _column(name: str, item: Item) -> np.ndarray[Any, Any]:
    levels = item.text("levels")
    if levels:
        return np.array([None if v == NA_INTEGER else levels[v - 1] for v in item.value.tolist()], object)
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
