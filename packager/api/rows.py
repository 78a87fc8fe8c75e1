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
MOST_SAID = 400
"""Letters of another library's message."""


def write_rows(rows: Any, place: Path, what: str = "example") -> Path:
    """The file with the rows, beside `place` with the suffix of its kind; a path is given back as it is.

    `what`: the rows' name, for messages. Raises `UsageError` for rows that no file can hold.
    """
    if isinstance(rows, (str, Path)):
        return Path(rows)
    try:
        found = _written(rows, place)
    except (UsageError, OSError, MemoryError):
        raise
    except Exception as error:  # whatever the library of the rows, or Arrow, raises on what it cannot convert
        said = " ".join(str(error).split())[:MOST_SAID] or type(error).__name__
        raise UsageError(f"the {what} ({_named(rows)}) cannot be written: {said}") from error
    if found is None:
        raise UsageError(f"the {what} is a {_named(rows)}: give {KINDS}")
    return found


def _written(rows: Any, place: Path) -> Path | None:
    top = top_package(rows)
    if top in ("pandas", "polars", "pyarrow"):
        table = _arrow_of_pandas(rows) if top == "pandas" else _arrow(rows, top)
        return None if table is None else _parquet(table, place)
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
    """The columns without the index, which names rows and is no column; None for another object of pandas."""
    import pandas as pd
    import pyarrow as pa

    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        return None
    frame = frame.rename(columns=str)
    if not frame.columns.is_unique:
        double = next(name for name, twice in zip(frame.columns, frame.columns.duplicated(), strict=True) if twice)
        raise ValueError(f"two columns have the name {double!r}")
    strange = {name: plain for name, kind in frame.dtypes.items() if (plain := _plain(kind)) is not None}
    return pa.Table.from_pandas(frame.astype(strange), preserve_index=False)


def _plain(kind: Any) -> np.dtype[Any] | None:
    """The type that Arrow has for numbers of other bytes or of more than 64 bits; None for any other type."""
    if not isinstance(kind, np.dtype) or kind.kind not in "iuf":
        return None
    return np.dtype(float) if kind.char == "g" else None if kind.isnative else kind.newbyteorder("=")


def _arrow(rows: Any, top: str) -> Any:
    """The table; None for an object of the library that is none."""
    import pyarrow as pa

    kind = type(rows).__name__
    if top == "polars":
        rows = rows.collect() if kind == "LazyFrame" else rows.to_frame() if kind == "Series" else rows
        return rows.to_arrow() if type(rows).__name__ == "DataFrame" else None
    rows = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    return rows if isinstance(rows, pa.Table) else None


def _parquet(table: Any, place: Path) -> Path:
    from pyarrow import parquet

    if not table.num_columns:
        raise ValueError("it has no columns")
    path = place.with_suffix(".parquet")
    parquet.write_table(table, path)
    return path


def _sparse(matrix: Any, place: Path) -> Path:
    from scipy.sparse import save_npz

    path = place.with_suffix(".npz")
    save_npz(path, matrix.tocsr() if matrix.format in ("dok", "lil") else matrix)
    return path


def _of_mapping(columns: Mapping[Any, Any], place: Path) -> Path:
    """Columns of cells as a table, which may lack some; tensors as arrays."""
    arrays = {str(name): _unmasked(values) for name, values in columns.items()}
    if {values.ndim for values in arrays.values()} == {1} and any(v.dtype == object for v in arrays.values()):
        import pyarrow as pa

        return _parquet(pa.table({name: values.tolist() for name, values in arrays.items()}), place)
    _check_plain(arrays.values())
    path = place.with_suffix(".npz")
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def _array(values: np.ndarray[Any, Any], place: Path) -> Path:
    values = _unmasked(values)
    if values.dtype == object and all(isinstance(cell, str) for cell in values.ravel()):
        values = values.astype(str)
    _check_plain([values])
    path = place.with_suffix(".npy")
    np.save(path, values, allow_pickle=False)
    return path


def _unmasked(values: Any) -> np.ndarray[Any, Any]:
    """The array with NaN for each masked cell, as its data below the mask must not be answered."""
    if not isinstance(values, np.ma.MaskedArray):
        return np.asarray(values)
    if np.ma.is_masked(values) and values.dtype.kind != "f":
        raise ValueError(f"a masked array of {values.dtype} has no cell that is missing: give a data frame")
    return np.asarray(values.filled(np.nan) if values.dtype.kind == "f" else values.data)


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
        path.write_text(json.dumps([{k: _cell(v) for k, v in row.items()} for row in rows], allow_nan=False), "utf-8")
        return path
    return _array(np.asarray(rows), place)


def _cell(value: Any) -> Any:
    """The cell as JSON has it: NaN is a missing one."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and plain != plain else plain
