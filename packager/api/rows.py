"""Writes the rows of a Python program to a file of the kinds that `--example` and `mlpack predict` read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from .r_objects import r_file

KINDS = (
    "a path, a data frame (pandas, polars, pyarrow), an array, a sparse matrix of scipy, texts, records (a list of "
    "dicts), or a dict of arrays"
)
TEXTS = "text"
"""The column of a list of texts."""


def write_rows(rows: Any, place: Path, what: str = "example") -> Path:
    """The file with the rows, beside `place` with the suffix of its kind; a path is given back as it is.

    `what`: the rows' name, for messages. Raises `UsageError` for rows that no file can hold.
    """
    if isinstance(rows, (str, Path)):
        return Path(rows)
    try:
        found = _written(rows, place)
    except (TypeError, ValueError, OverflowError) as error:  # Arrow's own errors are kinds of these
        raise UsageError(f"the {what} ({_named(rows)}) cannot be written: {' '.join(str(error).split())}") from error
    if found is None:
        raise UsageError(f"the {what} is a {_named(rows)}: give {KINDS}")
    return found


def _written(rows: Any, place: Path) -> Path | None:
    top = top_package(rows)
    if top == "pandas":
        return _parquet(_arrow_of_pandas(rows), place)
    if top in ("polars", "pyarrow"):
        return _parquet(_arrow(rows, top), place)
    if top == "scipy" and hasattr(rows, "tocsr"):
        return _sparse(rows, place)
    if top == "rpy2":
        return r_file(rows, place)
    if isinstance(rows, Mapping):
        return _of_mapping(rows, place)
    if isinstance(rows, np.ndarray):
        return _array(rows, place)
    if isinstance(rows, Sequence) and rows:
        return _of_list(rows, place)
    return _array(np.asarray(rows), place) if hasattr(rows, "__array__") else None


def top_package(value: Any) -> str:
    """The top package of the value's class."""
    return type(value).__module__.split(".")[0]


def _named(value: Any) -> str:
    return f"{top_package(value)}.{type(value).__name__}" if top_package(value) != "builtins" else type(value).__name__


def _arrow_of_pandas(frame: Any) -> Any:
    """The columns without the index, which names rows and is no column."""
    import pyarrow as pa

    if not hasattr(frame, "columns"):
        frame = frame.to_frame()
    frame = frame.rename(columns=str)
    if not frame.columns.is_unique:
        double = next(name for name, twice in zip(frame.columns, frame.columns.duplicated(), strict=True) if twice)
        raise ValueError(f"two columns have the name {double!r}")
    return pa.Table.from_pandas(frame, preserve_index=False)


def _arrow(rows: Any, top: str) -> Any:
    import pyarrow as pa

    if top == "polars":
        rows = rows.collect() if type(rows).__name__ == "LazyFrame" else rows
        return rows.to_frame().to_arrow() if type(rows).__name__ == "Series" else rows.to_arrow()
    return pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows


def _parquet(table: Any, place: Path) -> Path:
    from pyarrow import parquet

    path = place.with_suffix(".parquet")
    parquet.write_table(table, path)
    return path


def _sparse(matrix: Any, place: Path) -> Path:
    from scipy.sparse import save_npz

    path = place.with_suffix(".npz")
    save_npz(path, matrix)
    return path


def _of_mapping(columns: Mapping[Any, Any], place: Path) -> Path:
    """Columns of cells as a table, which may lack some; tensors as arrays."""
    arrays = {str(name): np.asarray(values) for name, values in columns.items()}
    if {values.ndim for values in arrays.values()} == {1} and any(v.dtype == object for v in arrays.values()):
        import pyarrow as pa

        return _parquet(pa.table({name: values.tolist() for name, values in arrays.items()}), place)
    _check_plain(arrays.values())
    path = place.with_suffix(".npz")
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def _array(values: np.ndarray[Any, Any], place: Path) -> Path:
    if values.dtype == object and all(isinstance(cell, str) for cell in values.ravel()):
        values = values.astype(str)
    _check_plain([values])
    path = place.with_suffix(".npy")
    np.save(path, values, allow_pickle=False)
    return path


def _check_plain(arrays: Any) -> None:
    if any(values.dtype == object for values in arrays):
        raise ValueError("an array of Python objects has no file: give a data frame")


def _of_list(rows: Sequence[Any], place: Path) -> Path:
    if all(isinstance(row, str) for row in rows):
        import pyarrow as pa

        return _parquet(pa.table({TEXTS: list(rows)}), place)
    if all(isinstance(row, Mapping) for row in rows):
        import json

        path = place.with_suffix(".json")
        path.write_text(json.dumps([dict(row) for row in rows], allow_nan=False), "utf-8")
        return path
    return _array(np.asarray(rows), place)
