"""`mlpack predict`: answers for a file, streamed: a row out per row in, in order."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.table import rows_of
from mlpack_toolkit.runtimes.engine.answers import columns_of
from mlpack_toolkit.runtimes.engine.images import objects_of
from mlpack_toolkit.runtimes.engine.rules import violations
from mlpack_toolkit.runtimes.engine.tuning import PROOFS, Tuning, tuning_in

from ..bundle.proofs import check_proved
from ..bundle.reader import open_bundle
from ..data.images import batches, is_images
from ..data.npz_writer import NpzWriter
from ..data.readers import stream
from ..equivalence.session import session_of
from ..errors import UsageError
from ..kernels import preferred
from ..language.texts import CONTINUED, continued, in_columns, tables, takes_texts
from ..paths import beside

if TYPE_CHECKING:
    import pyarrow as pa

    from ..bundle.reader import Bundle
    from ..equivalence.session import Session

SUFFIXES = (".csv", ".parquet", ".npz", ".json")
IMAGE = "image"
"""The column with the names of images."""


class Sink(Protocol):
    """Takes answers batch by batch; `images`: the names of the images that they are for, where they are for images."""

    def write(self, answers: Table, images: Sequence[str] = ()) -> None: ...

    def close(self) -> None: ...


def predict(
    folder: Path, file: Path, output: Path | None, variant: str | None = None, tuned: bool = True
) -> dict[str, Any]:
    """How many rows were answered; the answers go to `output`, or as csv to standard output.

    `variant`: the one that answers; None: the preferred one. `tuned`: with the batch that `mlpack tune` chose on this
    kind of machine.
    """
    bundle = open_bundle(folder)
    name = answering(bundle, variant)
    chosen = tuning_in(bundle.place / PROOFS, bundle.identity, name) if tuned else None
    session = session_of(bundle, variant=name, tuning=Tuning(batch=chosen.batch) if chosen else None)
    rows, signature = 0, bundle.variant(name).signature
    if takes_texts(bundle, file):
        return _of_texts(bundle, session, file, output)
    names: deque[str] = deque()
    with _sink(output, signature) as sink:
        for answers in session.stream(checked_rows(session.signature, tables_in(session.signature, file, names), file)):
            count = rows_of(answers, signature.batch_axes) if signature.has_rows else 1
            sink.write(answers, [names.popleft() for _ in range(count)] if is_images(file) else ())
            rows += count if is_images(file) else rows_of(answers, signature.batch_axes)
    return {"rows": rows, "output": str(output) if output else "-"}


def answering(bundle: Bundle, variant: str | None) -> str:
    """The name of the variant that answers: the one that was asked for, else the preferred one. Raises `UsageError` for
    one that no machine has proved."""
    name = variant or preferred(bundle)[0]
    check_proved(bundle, name)
    return name


def _of_texts(bundle: Bundle, session: Session, file: Path, output: Path | None) -> dict[str, Any]:
    """The same for a file of texts: an answer for each, or its continuation by a graph that continues texts."""
    rows = 0
    found, answers = text_answers(bundle, session, file, output is not None and output.suffix.lower() == ".npz")
    with _sink(output, found) as sink:
        for each in answers:
            sink.write(each)
            rows += rows_of(each, found.batch_axes)
    return {"rows": rows, "output": str(output) if output else "-"}


def text_answers(bundle: Bundle, session: Session, file: Path, whole: bool) -> tuple[Signature, Iterator[Table]]:
    """The answers to a file of texts, batch by batch, and their signature. `whole`: all outputs, though some are no
    row of numbers for each text."""
    if bundle.facts.get("generation"):
        return CONTINUED, continued(bundle, session, file)
    signature = session.signature
    found = signature if whole else in_columns(signature)
    alike = any(len(t.shape) > 2 for t in found.outputs)
    answers = session.stream(checked_rows(signature, tables(bundle, file, alike), file))
    return found, ({t.name: each[t.name] for t in found.outputs} for each in answers)


def answer_columns(signature: Signature, answers: Table, images: Sequence[str] = ()) -> Table:
    """The answers as columns, a row for each row of the batch; `UsageError` where they are no rows."""
    heights = {v.shape[a : a + 1] for n, v in answers.items() for a in [signature.batch_axes[n] or 0]}
    if len(heights) > 1 or () in heights or (images and not signature.has_rows):
        way = "as objects, one for each image, with -o FILE.json" if images else "as tensors, with -o FILE.npz"
        raise UsageError(f"the answers have no rows: have them {way}")
    return {**_named(signature, images), **_with_nulls(signature, columns_of(signature, answers))}


def _named(signature: Signature, images: Sequence[str]) -> Table:
    """The column with the names of the images, where there are some."""
    return {_image_column(signature): np.array(images, object)} if images else {}


def _image_column(signature: Signature) -> str:
    return IMAGE if all(t.name != IMAGE for t in signature.outputs) else f"{IMAGE} file"


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


def tables_in(signature: Signature, file: Path, names: deque[str]) -> Iterator[Table]:
    """The file's rows, batch by batch; `names` gets those of the images."""
    if not is_images(file):
        yield from stream(file, signature)
        return
    for table, images in batches(file, signature):
        names.extend(images)
        yield table


def checked_rows(signature: Signature, tables: Iterator[Table], file: Path) -> Iterator[Table]:
    """The file's rows, batch by batch; `UsageError` for a row that a rule forbids."""
    before = 0
    for table in tables:
        broken = next(violations(signature, table), None)
        if broken is not None:
            raise UsageError(
                f"{file.name}: row {before + broken.row}, column {broken.column!r}: {broken.reason}",
                row=before + broken.row,
                column=broken.column,
            )
        yield table
        before += rows_of(table, signature.batch_axes)


@contextmanager
def _sink(output: Path | None, signature: Signature) -> Iterator[Sink]:
    """A sink that leaves nothing half written: a file appears when it is whole."""
    if output is None:
        sink: Sink = _Csv(sys.stdout.buffer, signature)
        yield sink
        sink.close()
        return
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output.name} must end in one of {', '.join(SUFFIXES)}")
    output.parent.mkdir(parents=True, exist_ok=True)
    with beside(output.absolute()) as folder:
        with (folder / output.name).open("wb") as file:
            sink = _KINDS[output.suffix.lower()](file, signature)
            yield sink
            sink.close()
        (folder / output.name).replace(output)


def arrow_of(columns: Table) -> pa.Table:
    """The columns as a table of Arrow."""
    import pyarrow as pa

    text = {name: pa.string() for name, values in columns.items() if values.dtype.kind in "OU"}  # of nulls alone, too
    return pa.table({name: pa.array(values, text.get(name)) for name, values in columns.items()})


class _Pieces:
    """A file that is written piece by piece, by the writer that the kind opens for the first one's columns."""

    def __init__(self, file: IO[bytes], signature: Signature) -> None:
        self._file, self._signature = file, signature
        self._writer: Any = None

    def write(self, answers: Table, images: Sequence[str] = ()) -> None:
        """Adds the rows of one piece."""
        table = arrow_of(answer_columns(self._signature, answers, images))
        if self._writer is None:
            self._writer = self._opened(table.schema)
        self._writer.write(table)

    def _opened(self, schema: pa.Schema) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Ends the file."""
        if self._writer is not None:
            self._writer.close()


class _Csv(_Pieces):
    def _opened(self, schema: pa.Schema) -> Any:
        from pyarrow import csv

        options = csv.WriteOptions(quoting_style="needed")
        return csv.CSVWriter(self._file, schema, write_options=options)

    def close(self) -> None:
        super().close()
        self._file.flush()


class _Parquet(_Pieces):
    def _opened(self, schema: pa.Schema) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(self._file, schema)


class _Npz:
    """Arrays by the names of their columns; tensors of a graph as it came keep their names and their rank."""

    def __init__(self, file: IO[bytes], signature: Signature) -> None:
        self._signature, self._tensors = signature, signature.takes_tensors
        axes = {_image_column(signature): 0, **signature.batch_axes} if self._tensors else None
        self._writer = NpzWriter(file, Path(file.name).parent, axes)
        self._pieces = 0

    def write(self, answers: Table, images: Sequence[str] = ()) -> None:
        self._pieces += 1
        if images and not self._signature.has_rows and self._pieces > 1:
            raise UsageError("the answers have no rows: have them as objects, one for each image, with -o FILE.json")
        found = (
            {**_named(self._signature, images), **answers}
            if self._tensors
            else answer_columns(self._signature, answers)
        )
        self._writer.write(found)

    def close(self) -> None:
        self._writer.close()


class _Json:
    """A list of row objects, or of an object for each image."""

    def __init__(self, file: IO[bytes], signature: Signature) -> None:
        self._file, self._signature = file, signature
        self._separator = b"[\n"

    def write(self, answers: Table, images: Sequence[str] = ()) -> None:
        for cells in self._of_images(answers, images) if images else self._of_rows(answers):
            self._file.write(self._separator + json.dumps(cells, ensure_ascii=False).encode())
            self._separator = b",\n"

    def _of_rows(self, answers: Table) -> Iterator[dict[str, Any]]:
        columns = answer_columns(self._signature, answers)
        names = list(columns)
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            yield dict(zip(names, map(_finite, row), strict=True))

    def _of_images(self, answers: Table, images: Sequence[str]) -> Iterator[dict[str, Any]]:
        """An object for each image, with whole tensors as lists."""
        for name, outputs in zip(images, objects_of(self._signature, answers, len(images)), strict=True):
            yield {_image_column(self._signature): name, **outputs}

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
