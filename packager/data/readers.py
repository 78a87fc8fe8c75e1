"""Reads rows from files of any kind that `--example` takes: csv, parquet, npz, npy, json, and R's rds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters._worker.model_input import cells_of_levels
from mlpack_toolkit.converters.bfloat16 import of_bits
from mlpack_toolkit.converters.spec import MATRIX, Signature, Table, TensorSpec

from ..errors import MlpackError, UsageError
from .arrow import (
    BATCH_ROWS,
    column_of,
    columns_of,
    columns_said,
    csv_batches,
    frame_dtypes,
    is_moment,
    listed,
    one_line,
    parquet_batches,
    read_csv,
    read_parquet,
)
from .bombs import check_rows, expanded
from .images import example_of, files_of, is_images
from .json_rows import unwrapped
from .lines import LINES, read_lines
from .rds_frames import read_frame
from .sparse_files import SPARSE, dense, stored_zeros
from .tensor_files import pieces, tensors_for

HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
"""A surrogate: JSON may contain half of a character beyond U+FFFF, which is not text."""


@dataclass(frozen=True)
class Example:
    """Rows by column, and the pandas dtypes that the file records.

    `stored`: for a sparse matrix, the positions (row, column) where its file stores a 0; None: the rows are dense.
    `dtypes`: numpy's type of each array in the file, where the table holds it in a wider one. `images`: the table is
    one array of images, `[n, h, w, 3]`.
    """

    table: Table
    frame_dtypes: dict[str, str] = field(default_factory=dict)
    stored: list[list[int]] | None = None
    dtypes: dict[str, str] = field(default_factory=dict)
    images: bool = False


def check_file(path: Path) -> None:
    """Raises `UsageError` unless the file exists and is of a kind that contains rows, or is a folder of images."""
    files_of(path) if is_images(path) else _suffix(path)


def read_example(path: Path) -> Example:
    """All rows of a file, or all images of a folder."""
    if is_images(path):
        return Example({"image": example_of(path)}, images=True)
    suffix = _suffix(path)
    if suffix in (".csv", ".parquet"):
        with _reading(path):
            arrow = read_csv(path) if suffix == ".csv" else read_parquet(path)
            example = Example(columns_of(arrow, path.name), frame_dtypes(arrow))
        return _not_empty(example, path)
    whole = _read_whole(path, suffix)
    return _not_empty(replace(whole, stored=stored_zeros(path)) if suffix == ".npz" else whole, path)


def with_reals(example: Example, names: Sequence[str]) -> Example:
    """The example with these columns as real numbers: JSON may contain them as whole numbers."""
    real = {
        n: example.table[n].astype(float) for n in names if n in example.table and example.table[n].dtype.kind == "i"
    }
    return replace(example, table={**example.table, **real})


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns any exception of a library on a damaged or hostile file into a `UsageError`.

    These exceptions have no common base: zlib's, tokenize's and Arrow's own, `NotImplementedError`,
    `RecursionError`, and others.
    """
    try:
        yield
    except MlpackError:
        raise
    except MemoryError as error:
        raise UsageError(f"{path.name} cannot be read: it needs more memory than there is") from error
    except RecursionError as error:
        raise UsageError(f"{path.name} cannot be read: it is nested too deeply") from error
    except Exception as error:
        raise UsageError(f"{path.name} cannot be read: {one_line(str(error)) or type(error).__name__}") from error


def stream(path: Path, signature: Signature) -> Iterator[Table]:
    """The columns that the signature takes, batch by batch; memory does not grow with the file."""
    suffix = _suffix(path)
    if suffix in (".csv", ".parquet"):
        batches = csv_batches(path, signature) if suffix == ".csv" else parquet_batches(path)
        specs = {t.name: t for t in signature.inputs}
        read = (columns_of(batch, path.name, lambda n, c: _column(specs.get(n), n, c)) for batch in batches)
        tables = _guarded(read, path)
    else:
        whole = _read_whole(path, suffix).table
        if suffix == ".npz" and any(t.absent for t in signature.inputs) and stored_zeros(path):
            raise UsageError(
                f"{path.name} stores zeros, and the model treats a stored 0 and a cell that is left out differently; "
                "the graph cannot tell them apart: call eliminate_zeros() on the matrix before you save it"
            )
        if signature.takes_tensors:
            yield from pieces(signature, tensors_for(signature, whole, path.name))
            return
        rows = _length(whole, path.name)
        starts = range(0, max(rows, 1), BATCH_ROWS)
        tables = ({n: c[start : start + BATCH_ROWS] for n, c in whole.items()} for start in starts)
    before = 0
    for table in tables:
        found = for_signature(signature, table, path.name, before)
        before += len(next(iter(found.values()), ()))
        yield found
    if not before:
        yield {t.name: _no_rows(t) for t in signature.inputs}


def _length(table: Table, where: str) -> int:
    """The number of rows; `UsageError` for columns of different lengths."""
    single = next((name for name, column in table.items() if not column.ndim), None)
    if single is not None:
        raise UsageError(f"{where}: {single[:80]!r} is a single number, and a table has rows: give one cell for each")
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name!r} has {count}" for name, count in list(lengths.items())[:20])
        raise UsageError(f"{where} has columns of different lengths: {said}")
    return next(iter(lengths.values()), 0)


def _column(spec: TensorSpec | None, name: str, column: Any) -> np.ndarray[Any, Any]:
    """A column; true, false and null as 1, 0 and NaN where the model takes a number."""
    import pyarrow as pa

    if spec is not None and not spec.is_date and is_moment(column.type):
        wanted = "text" if spec.is_text else "numbers"
        raise UsageError(f"the column {name!r} holds dates, the model takes {wanted} there")
    if spec is not None and spec.is_float and pa.types.is_boolean(column.type) and column.null_count:
        column = column.cast(pa.int8())
    return column_of(name, column)


def _guarded(tables: Iterator[Table], path: Path) -> Iterator[Table]:
    with _reading(path):
        yield from tables


def _no_rows(spec: TensorSpec) -> np.ndarray[Any, Any]:
    sizes = [d if isinstance(d, int) else 1 for d in spec.shape[1:]]
    return spec.as_read(np.empty((0, *sizes), np.dtype(spec.in_numpy)))


def for_signature(signature: Signature, table: Table, where: str, before: int = 0) -> Table:
    """The table's columns in the names and types of the signature; raises `UsageError`.

    `before`: the number of earlier rows of the file, for the message.
    """
    inputs = signature.inputs
    if len(inputs) == 1:
        table = {inputs[0].name: _only(inputs[0], table, where)}
    elif len(table) == 1:
        table = _by_place(inputs, table)
    absent = [t.name for t in inputs if t.name not in table]
    if absent:
        raise UsageError(f"{where} lacks {columns_said(absent)}; it has: {listed(table)}")
    return {t.name: _shaped(t, _fitting(t, table[t.name], where, before), where) for t in inputs}


def _only(spec: TensorSpec, table: Table, where: str) -> np.ndarray[Any, Any]:
    """The values of the only input: the column of its name or the only column; for a matrix, columns side by side."""
    named = table.get(spec.name)
    if named is not None and (spec.kind != MATRIX or named.ndim > 1):
        return named
    return _block(spec, table, where) if spec.width else next(iter(table.values()))


def _by_place(inputs: tuple[TensorSpec, ...], table: Table) -> Table:
    """The columns of a matrix without names, in the order of the inputs."""
    name, matrix = next(iter(table.items()))
    if matrix.ndim != 2 or matrix.shape[1] != len(inputs) or any(t.width != 1 for t in inputs):
        return {name: matrix}
    return {t.name: matrix[:, i] for i, t in enumerate(inputs)}


def _block(spec: TensorSpec, table: Table, where: str) -> np.ndarray[Any, Any]:
    """A matrix from single columns: by name where the model has names, else all in their order."""
    names, width = spec.columns, spec.width
    chosen = [table[n] for n in names] if names and all(n in table for n in names) else list(table.values())
    found = sum(c.shape[1] if c.ndim == 2 else 1 for c in chosen)
    if found != width:
        raise UsageError(f"the model takes {width} columns, {where} has {found}: {listed(table)}")
    return chosen[0] if width == 1 and len(chosen) == 1 else np.column_stack(chosen)


def _shaped(spec: TensorSpec, values: np.ndarray[Any, Any], where: str) -> np.ndarray[Any, Any]:
    """The values in the input's rank, if each row has as many cells as the input takes."""
    values = spec.as_read(values)
    wanted = spec.shape[1:] or (1,)
    sizes = values.shape[1:] or (1,)
    if len(sizes) != len(wanted) or any(isinstance(w, int) and w != s for w, s in zip(wanted, sizes, strict=True)):
        shown = [d if isinstance(d, int) else -1 for d in spec.shape]
        raise UsageError(f"{where}: {spec.name!r} has the shape {list(values.shape)}, the model takes {shown}")
    return values


def _fitting(spec: TensorSpec, column: np.ndarray[Any, Any], where: str, before: int) -> np.ndarray[Any, Any]:
    name, dtype, text = spec.name, spec.dtype, column.dtype.kind in "OU"
    if dtype == "string":
        if not text and spec.frame_dtype == "factor":
            return cells_of_levels(column)
        if not text and not np.isnan(column.astype(float)).all():
            raise UsageError(f"{where}: the column {name!r} holds numbers, the model takes text there")
        return column if text else np.full(len(column), None, object)
    if text:
        raise UsageError(f"{where}: the column {name!r} holds text, the model takes numbers there")
    if dtype == "int64" and column.dtype.kind == "f":
        return _whole(name, column, where, before)
    if dtype == "bool" and not np.isin(column, (0, 1)).all():
        _refuse_missing(name, column, where, before, "true or false")
        raise UsageError(f"{where}: the column {name!r} must hold true or false")
    return column


def _whole(name: str, column: np.ndarray[Any, Any], where: str, before: int) -> np.ndarray[Any, Any]:
    _refuse_missing(name, column, where, before, "whole numbers")
    with np.errstate(invalid="ignore"):
        whole = column.astype(np.int64)
    if (whole != column).any():
        raise UsageError(f"{where}: the column {name!r} holds fractions, the model takes whole numbers there")
    return whole


def _refuse_missing(name: str, column: np.ndarray[Any, Any], where: str, before: int, wanted: str) -> None:
    if not np.isfinite(column).all():
        row = before + int(np.flatnonzero(~np.isfinite(column).reshape(len(column), -1).all(axis=1))[0])
        raise UsageError(f"{where}: row {row}, column {name!r}: a missing value, and the model takes {wanted} here")


def _suffix(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet", *_READERS):
        raise UsageError(f"{path.name} must be csv, parquet, npz, npy, json, jsonl, txt or rds, by its suffix")
    return suffix


def _not_empty(example: Example, path: Path) -> Example:
    lengths = {len(c) if c.ndim else 1 for c in example.table.values()}
    if not lengths or lengths == {0}:
        raise UsageError(f"{path.name} holds no rows: give at least one example row")
    return example


def _read_whole(path: Path, suffix: str) -> Example:
    """The columns or tensors of a file that is read at once."""
    with _reading(path):
        read = _READERS[suffix](path)
    example = read if isinstance(read, Example) else Example(read)
    return example


def _read_npy(path: Path) -> Example:
    check_rows(path, path.stat().st_size)
    return of_arrays({"X": np.load(path, allow_pickle=False, mmap_mode="c")})


def _read_npz(path: Path) -> Table | Example:
    check_rows(path, expanded(path))
    with np.load(path, allow_pickle=False) as arrays:
        if set(arrays.files) >= SPARSE:
            return {"X": _numbers(dense(path, arrays["shape"]))}
        table = {name: arrays[name] for name in arrays.files}
    alone = len(table) == 1 and next(iter(table.values())).ndim == 2
    return of_arrays({"X": next(iter(table.values()))} if alone else table)


def of_arrays(table: Table) -> Example:
    """The example of these arrays."""
    wide = {name: _numbers(values) for name, values in table.items()}
    return Example(
        wide, dtypes={name: table[name].dtype.name for name in table if table[name].dtype != wide[name].dtype}
    )


def _numbers(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype == "V2":  # what numpy writes of the bfloat16 of ml_dtypes, JAX and TensorFlow
        return of_bits(array.view("<u2"))
    if array.dtype.kind == "f" and array.ndim <= 2:
        return array.astype(np.float64)
    if array.dtype.kind in "iu" and array.ndim <= 2 and not (array > np.iinfo(np.int64).max).any():
        return array.astype(np.int64)
    if array.dtype.kind not in "fiubU":
        raise UsageError(f"an array holds elements of type {str(array.dtype)[:80]}: give numbers, text or booleans")
    return array.astype(object) if array.dtype.kind == "U" else array


def _read_json(path: Path) -> Table | Example:
    from ..bundle.golden import table_of_request

    raw = path.read_bytes()
    try:
        plain = unwrapped(json.loads(raw, object_pairs_hook=_object))
        if HALF_CHARACTER.search(raw):
            json.dumps(plain, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{path.name} holds half a character ({error.object[error.start]!r}), no text") from error
    except ValueError as error:
        raise UsageError(f"{path.name} is not JSON: {error}") from error
    if isinstance(plain, dict) and "inputs" in plain:
        return table_of_request(plain)
    if isinstance(plain, list) and plain and isinstance(plain[0], dict):
        names = list(dict.fromkeys(name for row in plain for name in row))
        return _columns({name: [row.get(name) for row in plain] for name in names}, path.name)
    if isinstance(plain, dict) and all(isinstance(v, list) for v in plain.values()):
        return _columns(plain, path.name)
    if isinstance(plain, list) and plain and isinstance(plain[0], list):
        return {"X": _matrix(plain)}
    if isinstance(plain, list) and all(isinstance(v, str) or v is None for v in plain):
        return {"text": np.array(plain, object)}
    raise UsageError(f"{path.name} must hold a list of row objects, an object of columns, or a request with inputs")


def _columns(cells: dict[str, list[Any]], where: str) -> Example:
    """Columns of JSON's own values, all of one length."""
    table, dtypes = {}, {}
    for name, values in cells.items():
        table[name] = _cells(name, values)
        if None in values and any(isinstance(v, bool) for v in values):
            dtypes[name] = "bool object"
    _length(table, where)
    return Example(table, dtypes)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises `UsageError` for a duplicate key, which is ambiguous."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise UsageError(f"an object of the file has the key {twice[:80]!r} twice: keep one")
    return found


def _cells(name: str, values: list[Any]) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    try:
        return column_of(name, pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise UsageError(f"the column {name!r} mixes kinds of values: {error}") from error


def _matrix(rows: list[list[Any]]) -> np.ndarray[Any, Any]:
    """Numbers of a list of rows, NaN for null."""
    matrix = np.array([[np.nan if v is None else v for v in row] for row in rows])
    if matrix.dtype.kind not in "fi" or matrix.ndim != 2 or not matrix.size:
        raise UsageError("a list of rows must hold numbers only: give rows with text as objects, {column: value}")
    return matrix


_READERS: dict[str, Callable[[Path], Table | Example]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".json": _read_json,
    ".rds": read_frame,
    **dict.fromkeys(LINES, read_lines),
}
