"""Rows from files of any kind that `--example` takes: csv, parquet, npz, npy, json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from converters.spec import Signature, Table, TensorSpec

from .errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_IN_CSV = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"]
MISSING_IN_CSV += ["N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
"""The cells of a csv file that mean "missing": those of `pandas.read_csv`."""
BATCH_ROWS = 65536
CSV_BLOCK = 1 << 20
"""Bytes of csv in a batch: at 8 MiB the peak of memory was twice as high."""


@dataclass(frozen=True)
class Example:
    """Rows by column, and the pandas dtypes that the file remembers of the frame they came from."""

    table: Table
    frame_dtypes: dict[str, str] = field(default_factory=dict)


def read_example(path: Path) -> Example:
    """All rows of a file."""
    suffix = _suffix(path)
    if suffix in (".csv", ".parquet"):
        arrow = _read_csv(path) if suffix == ".csv" else _read_parquet(path)
        table = {name: _column(name, arrow.column(name)) for name in arrow.column_names}
        return _not_empty(Example(table, _frame_dtypes(arrow.schema)), path)
    return _not_empty(Example(_read_whole(path, suffix)), path)


def stream(path: Path, signature: Signature) -> Iterator[Table]:
    """The columns that the signature takes, batch by batch; memory does not grow with the file."""
    suffix = _suffix(path)
    if suffix in (".csv", ".parquet"):
        batches = _csv_batches(path, signature) if suffix == ".csv" else _parquet_batches(path)
        tables = ({n: _column(n, batch.column(n)) for n in batch.schema.names} for batch in batches)
    else:
        whole = _read_whole(path, suffix)
        rows = len(next(iter(whole.values()), ()))
        starts = range(0, max(rows, 1), BATCH_ROWS)
        tables = ({n: c[start : start + BATCH_ROWS] for n, c in whole.items()} for start in starts)
    before = 0
    for table in tables:
        found = for_signature(signature, table, path.name, before)
        before += len(next(iter(found.values()), ()))
        yield found
    if not before:
        yield {t.name: _no_rows(t) for t in signature.inputs}


def _no_rows(spec: TensorSpec) -> np.ndarray[Any, Any]:
    shape = (0, spec.width) if spec.width > 1 else (0,)
    return np.empty(shape, object if spec.is_text else np.dtype(spec.dtype))


def for_signature(signature: Signature, table: Table, where: str, before: int = 0) -> Table:
    """The table's columns under the names and in the kinds that the signature wants, else `UsageError`.

    `before`: how many rows of the file came before these, for the message.
    """
    inputs = signature.inputs
    if len(inputs) == 1 and inputs[0].name not in table:
        table = {inputs[0].name: _block(inputs[0].columns, inputs[0].width, table, where)}
    absent = [t.name for t in inputs if t.name not in table]
    if absent:
        raise UsageError(f"{where} lacks the column {absent[0]!r}; it has: {', '.join(table)}")
    return {t.name: _fitting(t.name, t.dtype, table[t.name], where, before) for t in inputs}


def _block(names: tuple[str, ...], width: int, table: Table, where: str) -> np.ndarray[Any, Any]:
    """A matrix from single columns: by name where the names are known, else all in their order."""
    chosen = [table[n] for n in names] if names and all(n in table for n in names) else list(table.values())
    found = sum(c.shape[1] if c.ndim > 1 else 1 for c in chosen)
    if found != width:
        raise UsageError(f"the model takes {width} columns, {where} has {found}: {', '.join(table)}")
    return chosen[0] if width == 1 and len(chosen) == 1 else np.column_stack(chosen)


def _fitting(name: str, dtype: str, column: np.ndarray[Any, Any], where: str, before: int) -> np.ndarray[Any, Any]:
    text = column.dtype.kind in "OU"
    if dtype == "string":
        if not text and not np.isnan(column.astype(float)).all():
            raise UsageError(f"{where}: the column {name!r} holds numbers, the model takes text there")
        return column if text else np.full(len(column), None, object)
    if text:
        raise UsageError(f"{where}: the column {name!r} holds text, the model takes numbers there")
    if dtype == "int64" and column.dtype.kind == "f":
        return _whole(name, column, where, before)
    if dtype == "bool" and column.dtype.kind != "b":
        raise UsageError(f"{where}: the column {name!r} must hold true or false")
    return column


def _whole(name: str, column: np.ndarray[Any, Any], where: str, before: int) -> np.ndarray[Any, Any]:
    if not np.isfinite(column).all():
        row = before + int(np.flatnonzero(~np.isfinite(column).reshape(len(column), -1).all(axis=1))[0])
        raise UsageError(
            f"{where}: row {row}, column {name!r}: a missing value, and the model takes whole numbers here"
        )
    with np.errstate(invalid="ignore"):
        whole = column.astype(np.int64)
    if (whole != column).any():
        raise UsageError(f"{where}: the column {name!r} holds fractions, the model takes whole numbers there")
    return whole


def _suffix(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet", *_READERS):
        raise UsageError(f"{path.name} must be csv, parquet, npz, npy or json, by its suffix")
    return suffix


def _not_empty(example: Example, path: Path) -> Example:
    lengths = {len(c) for c in example.table.values()}
    if not lengths or lengths == {0}:
        raise UsageError(f"{path.name} holds no rows: give at least one example row")
    return example


def _read_csv(path: Path) -> pa.Table:
    from pyarrow import ArrowInvalid, csv

    options = csv.ConvertOptions(
        null_values=MISSING_IN_CSV, strings_can_be_null=True, quoted_strings_can_be_null=True, timestamp_parsers=[]
    )
    try:
        table = csv.read_csv(path, convert_options=options)
        dates = {f.name: "string" for f in table.schema if str(f.type).startswith(("date", "time"))}
        if not dates:
            return table
        options.column_types = dates
        return csv.read_csv(path, convert_options=options)
    except ArrowInvalid as error:
        raise UsageError(f"{path.name} cannot be read as csv: {error}") from error


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import ArrowInvalid, parquet

    try:
        table = parquet.read_table(path)
    except (ArrowInvalid, OSError) as error:
        raise UsageError(f"{path.name} cannot be read as parquet: {error}") from error
    index = [n for n in table.column_names if n.startswith("__index_level_")]
    return table.drop_columns(index)


def _csv_batches(path: Path, signature: Signature) -> Iterator[pa.RecordBatch]:
    from pyarrow import ArrowInvalid, csv

    types = {t.name: t.dtype.replace("32", "64") for t in signature.inputs if t.width == 1}
    options = csv.ConvertOptions(
        null_values=MISSING_IN_CSV,
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        timestamp_parsers=[],
        column_types=types,
    )
    read = csv.ReadOptions(block_size=CSV_BLOCK)
    try:
        if len(types) == len(signature.inputs):
            options.include_columns = _present(path, list(types), len(signature.inputs) == 1)
        with csv.open_csv(path, read_options=read, convert_options=options) as reader:
            yield from reader
    except ArrowInvalid as error:
        raise UsageError(f"{path.name}: {error}") from error


def _present(path: Path, wanted: list[str], single: bool) -> list[str]:
    """The wanted columns of the file's head; none (all columns are read) where they are not all there."""
    from pyarrow import csv

    with csv.open_csv(path) as reader:
        names = reader.schema.names
    absent = [n for n in wanted if n not in names]
    if absent and not single:
        raise UsageError(f"{path.name} lacks the column {absent[0]!r}; it has: {', '.join(names)}")
    return [] if absent else wanted


def _parquet_batches(path: Path) -> Iterator[pa.RecordBatch]:
    from pyarrow import ArrowInvalid, parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS)
    except (ArrowInvalid, OSError) as error:
        raise UsageError(f"{path.name} cannot be read as parquet: {error}") from error


def _column(name: str, column: Any) -> np.ndarray[Any, Any]:
    """An arrow column in numpy: int64, float64 (NaN for null), bool, or text with None for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _column(name, column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.asarray(pc.cast(column, pa.int8()).to_numpy()).astype(bool)
    if pa.types.is_integer(kind) and not column.null_count:
        try:
            return np.asarray(pc.cast(column, pa.int64()).to_numpy())
        except pa.ArrowInvalid as error:
            raise UsageError(f"the column {name!r} holds whole numbers beyond 64 bits with a sign: {error}") from error
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan"))
        return np.asarray(values.to_numpy())
    raise UsageError(
        f"the column {name!r} holds {kind}{' with missing cells' if column.null_count else ''}: "
        "give numbers, text or booleans (turn dates into numbers as the training did)"
    )


def _frame_dtypes(schema: pa.Schema) -> dict[str, str]:
    import pyarrow as pa

    found = {f.name: "category" for f in schema if pa.types.is_dictionary(f.type)}
    for column in json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("columns", ()):
        numpy_type = column.get("numpy_type", "")
        if column.get("pandas_type") == "categorical":  # parquet itself forgets it where the categories are numbers
            found[str(column["name"])] = "category"
        elif numpy_type[:1].isupper() or numpy_type == "boolean":
            found[str(column["name"])] = numpy_type
    return found


def _read_whole(path: Path, suffix: str) -> Table:
    """The columns of a file that is read at once; they are of one length."""
    try:
        table = _READERS[suffix](path)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, EOFError, OSError, BadZipFile) as error:
        raise UsageError(f"{path.name} cannot be read: {error}") from error
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"{path.name} has columns of different lengths: {lengths}")
    return table


def _read_npy(path: Path) -> Table:
    return {"X": _numbers(np.load(path, allow_pickle=False, mmap_mode="r"))}


def _read_npz(path: Path) -> Table:
    with np.load(path, allow_pickle=False) as arrays:
        table = {name: _numbers(arrays[name]) for name in arrays.files}
    return {"X": next(iter(table.values()))} if len(table) == 1 and next(iter(table.values())).ndim == 2 else table


def _numbers(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind == "f" and array.ndim <= 2:
        return array.astype(np.float64)
    if array.dtype.kind in "iu" and array.ndim <= 2:
        return array.astype(np.int64)
    return array.astype(object) if array.dtype.kind == "U" else array


def _read_json(path: Path) -> Table:
    from .golden import table_of_request

    try:
        plain = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path.name} is not JSON: {error}") from error
    if isinstance(plain, dict) and "inputs" in plain:
        return table_of_request(plain)
    if isinstance(plain, list) and plain and isinstance(plain[0], dict):
        names = list(dict.fromkeys(name for row in plain for name in row))
        return {name: _cells(name, [row.get(name) for row in plain]) for name in names}
    if isinstance(plain, dict) and all(isinstance(v, list) for v in plain.values()):
        return {name: _cells(name, values) for name, values in plain.items()}
    if isinstance(plain, list) and plain and isinstance(plain[0], list):
        return {"X": _matrix(plain)}
    if isinstance(plain, list) and all(isinstance(v, str) or v is None for v in plain):
        return {"text": np.array(plain, object)}
    raise UsageError(f"{path.name} must hold a list of row objects, an object of columns, or a request with inputs")


def _cells(name: str, values: list[Any]) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    try:
        return _column(name, pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise UsageError(f"the column {name!r} mixes kinds of values: {error}") from error


def _matrix(rows: list[list[Any]]) -> np.ndarray[Any, Any]:
    """Numbers of a list of rows, NaN for null."""
    matrix = np.array([[np.nan if v is None else v for v in row] for row in rows])
    if matrix.dtype.kind not in "fi":
        raise UsageError("a list of rows must hold numbers only: give rows with text as objects, {column: value}")
    return matrix


_READERS: dict[str, Callable[[Path], Table]] = {".npy": _read_npy, ".npz": _read_npz, ".json": _read_json}
