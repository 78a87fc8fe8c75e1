"""Columns of csv and parquet files, through Arrow: numbers, text, booleans, dates."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec

from ..errors import UsageError
from .bombs import check_rows

if TYPE_CHECKING:
    import pyarrow as pa

MISSING_IN_CSV = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"]
MISSING_IN_CSV += ["N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
"""The cells of a csv file that mean "missing": those of `pandas.read_csv`."""
BATCH_ROWS = 65536
CSV_BLOCK = 1 << 20
"""Bytes of csv in a batch: with 8 MiB the peak memory was twice as high."""
SHOWN = 20
_NO_SUCH_CELL = re.compile(r"In CSV column #(\d+): .*?CSV conversion error to \w+: invalid value ('.*')", re.DOTALL)
_TAKEN = {"int64": "whole numbers written without a point", "float64": "numbers", "bool": "true or false"}


def listed(names: Iterable[str]) -> str:
    """The first names for a message, without control characters."""
    every = list(names)
    shown = [n if n.isprintable() and 0 < len(n) <= 80 else repr(n[:80]) for n in every[:SHOWN]]
    return ", ".join(shown) + (f" and {len(every) - SHOWN} more" if len(every) > SHOWN else "")


def columns_said(names: Sequence[str]) -> str:
    """The columns in a sentence."""
    return (
        f"the column {names[0]!r}"
        if len(names) == 1
        else f"the columns {', '.join(map(repr, names[:SHOWN]))}"
        + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    )


def one_line(text: str) -> str:
    """A library's message, shortened to one line."""
    return "".join(c if c.isprintable() else " " for c in text)[:500].strip()


def read_csv(path: Path) -> pa.Table:
    """The whole file; raises `UsageError` for anything but csv."""
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
        raise UsageError(f"{path.name} cannot be read as csv: {one_line(str(error))}") from error


def read_parquet(path: Path) -> pa.Table:
    """The whole file without pandas' own index; raises `UsageError` for anything but parquet."""
    from pyarrow import ArrowInvalid, parquet

    try:
        about = parquet.read_metadata(path)
        check_rows(path, 8 * about.num_rows * about.num_columns)
        table = parquet.read_table(path)
    except (ArrowInvalid, OSError) as error:
        raise UsageError(f"{path.name} cannot be read as parquet: {one_line(str(error))}") from error
    index = [n for n in table.column_names if n.startswith("__index_level_")]
    return table.drop_columns(index)


def _column_type(spec: TensorSpec) -> str:
    """Arrow's type of a column in a file: numbers with all their digits."""
    if spec.is_truth:
        return "bool"
    return spec.dtype if spec.is_text else spec.in_numpy.replace("32", "64")


def csv_batches(path: Path, signature: Signature) -> Iterator[pa.RecordBatch]:
    """The file in batches of about `CSV_BLOCK` bytes, columns in the types of the signature."""
    from pyarrow import ArrowInvalid, csv

    types = {t.name: _column_type(t) for t in signature.inputs if t.width == 1}
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
            head = _head(path)
            options.include_columns = _present(path, head.names, list(types), len(signature.inputs) == 1)
            options.column_types = _held(types, head)
        with csv.open_csv(path, read_options=read, convert_options=options) as reader:
            yield from reader
    except ArrowInvalid as error:
        raise UsageError(f"{path.name}: {_said(str(error), path, types)}") from error


def _said(words: str, path: Path, types: dict[str, str]) -> str:
    """Arrow's message; for a cell of another type than its column's, the column and the type that the model takes."""
    found = _NO_SUCH_CELL.search(words)
    names = _head(path).names if found else []
    name = names[int(found[1])] if found and int(found[1]) < len(names) else ""
    if found is None or types.get(name) not in _TAKEN:
        return one_line(words)
    return f"the column {name!r} holds {one_line(found[2])}, the model takes {_TAKEN[types[name]]} there"


def _head(path: Path) -> pa.Schema:
    """The columns of the file's head, in the types that Arrow infers from its first block."""
    from pyarrow import csv

    options = csv.ConvertOptions(null_values=MISSING_IN_CSV, quoted_strings_can_be_null=True)
    with csv.open_csv(path, read_options=csv.ReadOptions(block_size=CSV_BLOCK), convert_options=options) as reader:
        return reader.schema


def _held(types: dict[str, str], head: pa.Schema) -> dict[str, Any]:
    """The types to read columns in: TRUE and FALSE where the model takes a number, as in an example."""
    import pyarrow as pa

    held: dict[str, Any] = dict(types)
    for field in head:
        wanted = types.get(field.name, "string")
        numbers = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        if (pa.types.is_boolean(field.type) and wanted != "string") or (numbers and wanted == "bool"):
            held[field.name] = field.type
    return held


def _present(path: Path, names: list[str], wanted: list[str], single: bool) -> list[str]:
    """The wanted columns of the file's head; none (all columns are read) where they are not all there."""
    absent = [n for n in wanted if n not in names]
    if absent and not single:
        raise UsageError(f"{path.name} lacks {columns_said(absent)}; it has: {listed(names)}")
    return [] if absent else wanted


def parquet_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The file in batches of `BATCH_ROWS` rows."""
    from pyarrow import ArrowInvalid, parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS)
    except (ArrowInvalid, OSError) as error:
        raise UsageError(f"{path.name} cannot be read as parquet: {one_line(str(error))}") from error


def columns_of(table: Any, where: str, read: Callable[[str, Any], np.ndarray[Any, Any]] | None = None) -> Table:
    """Every column of an arrow table or batch in numpy; `UsageError` where two have one name.

    `read`: makes an array of a column's name and values; else `column_of`.
    """
    names = table.schema.names
    if len(set(names)) != len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise UsageError(f"{where} has two columns {twice[:80]!r}: give each a name of its own")
    return {name: (read or column_of)(name, table.column(i)) for i, name in enumerate(names)}


def column_of(name: str, column: Any) -> np.ndarray[Any, Any]:
    """An arrow column in numpy: int64, float64 (NaN for null), bool, or text with None for null.

    Booleans with null among them are float64: 1, 0 and NaN.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        return column_of(name, column.cast(kind.value_type))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if is_moment(kind):
        return _moments(column)
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
        return column_of(name, column) if column.null_count else np.asarray(column.to_numpy()).astype(bool)
    if pa.types.is_integer(kind) and not column.null_count:
        try:
            return np.asarray(pc.cast(column, pa.int64()).to_numpy())
        except pa.ArrowInvalid as error:
            raise UsageError(f"the column {name!r} holds whole numbers beyond 64 bits with a sign: {error}") from error
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        values = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan"))
        return np.asarray(values.to_numpy())
    raise UsageError(
        f"the column {name!r} holds {str(kind)[:80]}{' with missing cells' if column.null_count else ''}: "
        "give numbers, text, booleans or dates"
    )


def is_moment(kind: Any) -> bool:
    """Whether Arrow's type is one of dates or times."""
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _moments(column: Any) -> np.ndarray[Any, Any]:
    """Dates and times as whole numbers in their own unit since 1970; a missing one is -2^63, as in pandas."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = column.cast(pa.timestamp("s")) if pa.types.is_date(column.type) else column
    return np.asarray(pc.fill_null(pc.cast(moments, pa.int64()), np.iinfo(np.int64).min).to_numpy())


def _moment_dtype(kind: Any) -> str:
    """The pandas dtype of a column of dates or times."""
    import pyarrow as pa

    if pa.types.is_date(kind):
        return "datetime64[s]"
    return f"datetime64[{kind.unit}{f', {kind.tz}' if kind.tz else ''}]"


def frame_dtypes(table: pa.Table) -> dict[str, str]:
    """The pandas dtypes that a file records, by column, where they matter."""
    import pyarrow as pa

    schema = table.schema
    found = {f.name: "category" for f in schema if pa.types.is_dictionary(f.type)}
    found |= {f.name: _moment_dtype(f.type) for f in schema if is_moment(f.type)}
    for column in _pandas_columns(schema):
        numpy_type = column.get("numpy_type", "")
        if not isinstance(numpy_type, str) or not isinstance(column.get("name"), str):
            continue
        if column.get("pandas_type") == "categorical":  # parquet does not record it for numeric categories
            found[column["name"]] = "category"
        elif numpy_type[:1].isupper() or numpy_type == "boolean":
            found[column["name"]] = numpy_type
    return found | {f.name: _truth_dtype(found.get(f.name, "")) for f in schema if _is_truth(table.column(f.name))}


def _pandas_columns(schema: pa.Schema) -> list[dict[str, Any]]:
    """pandas' metadata of the columns; empty where another program wrote something else there."""
    try:
        plain = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except (ValueError, RecursionError):
        return []
    columns = plain.get("columns") if isinstance(plain, dict) else None
    return [c for c in columns if isinstance(c, dict)] if isinstance(columns, list) else []


def _is_truth(column: Any) -> bool:
    """Whether the column contains booleans and missing cells."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return bool(pa.types.is_boolean(kind) and column.null_count)


def _truth_dtype(pandas_dtype: str) -> str:
    return {"boolean": "boolean", "category": "bool category"}.get(pandas_dtype, "bool object")
