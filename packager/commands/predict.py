"""`mlpack predict`: answers for a file, streamed: a row out per row in, in order."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.runtimes.engine.answers import columns_of
from mlpack_toolkit.runtimes.engine.rules import violations

from ..bundle.reader import open_bundle
from ..data.readers import stream
from ..equivalence.session import session_of
from ..errors import UsageError
from ..paths import beside

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".parquet", ".npz", ".json")


class Sink(Protocol):
    """Takes answers batch by batch."""

    def write(self, columns: Table) -> None: ...

    def close(self) -> None: ...


def predict(folder: Path, file: Path, output: Path | None) -> dict[str, Any]:
    """How many rows were answered; the answers go to `output`, or as csv to standard output."""
    bundle = open_bundle(folder)
    session = session_of(bundle)
    rows = 0
    with _sink(output) as sink:
        for table in stream(file, session.signature):
            _check(session.signature, table, rows, file)
            answers = session.run(table)
            sink.write(_with_nulls(bundle.signature, columns_of(bundle.signature, answers)))
            rows += len(next(iter(answers.values())))
    return {"rows": rows, "output": str(output) if output else "-"}


def _with_nulls(signature: Signature, columns: Table) -> Table:
    """The columns with None for a label that is no class: where R answers NA, a graph's text can only be empty."""
    label = columns.get("label")
    if label is None or label.dtype.kind not in "OU" or not signature.classes:
        return columns
    given = np.ones(len(label), bool)
    if "" not in signature.classes:
        given = label != ""
    elif "status" in columns:
        given = (label != "") | (columns["status"] == 0)
    cells = [cell if kept else None for cell, kept in zip(label.tolist(), given.tolist(), strict=True)]
    return {**columns, "label": np.array(cells, object)}


def _check(signature: Signature, table: Table, before: int, file: Path) -> None:
    broken = next(violations(signature, table), None)
    if broken is not None:
        raise UsageError(
            f"{file.name}: row {before + broken.row}, column {broken.column!r}: {broken.reason}",
            row=before + broken.row,
            column=broken.column,
        )


@contextmanager
def _sink(output: Path | None) -> Iterator[Sink]:
    """A sink that leaves nothing half written: a file appears when it is whole."""
    if output is None:
        sink: Sink = _Csv(sys.stdout.buffer)
        yield sink
        sink.close()
        return
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output.name} must end in one of {', '.join(SUFFIXES)}")
    output.parent.mkdir(parents=True, exist_ok=True)
    with beside(output.absolute()) as folder:
        with (folder / output.name).open("wb") as file:
            sink = _KINDS[output.suffix.lower()](file)
            yield sink
            sink.close()
        (folder / output.name).replace(output)


def _arrow(columns: Table) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: pa.array(values) for name, values in columns.items()})


class _Csv:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, columns: Table) -> None:
        from pyarrow import csv

        table = _arrow(columns)
        if self._writer is None:
            options = csv.WriteOptions(quoting_style="needed")
            self._writer = csv.CSVWriter(self._file, table.schema, write_options=options)
        self._writer.write(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._file.flush()


class _Parquet:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, columns: Table) -> None:
        from pyarrow import parquet

        table = _arrow(columns)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _Npz:
    """Keeps the answers until the end: an npz holds whole arrays."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._parts: list[Table] = []

    def write(self, columns: Table) -> None:
        self._parts.append(columns)

    def close(self) -> None:
        whole = {n: np.concatenate([p[n] for p in self._parts]) for n in self._parts[0]}
        plain = {n: _text(v) if v.dtype.kind == "O" else v for n, v in whole.items()}
        np.savez(self._file, **plain)  # type: ignore[arg-type]


def _text(cells: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Text as an npz holds it, which knows no null: empty."""
    return np.array(["" if cell is None else cell for cell in cells], str)


class _Json:
    """A list of row objects."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._separator = b"[\n"

    def write(self, columns: Table) -> None:
        names = list(columns)
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            cells = dict(zip(names, map(_finite, row), strict=True))
            self._file.write(self._separator + json.dumps(cells, ensure_ascii=False).encode())
            self._separator = b",\n"

    def close(self) -> None:
        self._file.write(b"\n]\n" if self._separator == b",\n" else b"[]\n")


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for both."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


_KINDS: dict[str, type[_Csv] | type[_Parquet] | type[_Npz] | type[_Json]] = {
    ".csv": _Csv,
    ".parquet": _Parquet,
    ".npz": _Npz,
    ".json": _Json,
}
