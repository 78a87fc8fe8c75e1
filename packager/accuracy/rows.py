"""The rows of a gate: read from the user's file, told apart from calibration rows, kept in the bundle where small."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.table import rows_of, stack, take
from mlpack_toolkit.runtimes.engine.rules import violations

from ..data.readers import stream
from ..errors import UsageError

MOST_KEPT = 16 << 20
"""The most bytes of rows that the bundle keeps, so that `mlpack verify` can hold the gate again."""
FOLDER = "gates/"


@dataclass(frozen=True)
class Rows:
    """Rows as batches. `source`: the name of their file, or what else they are."""

    tables: tuple[Table, ...]
    signature: Signature
    source: str

    @property
    def whole(self) -> Table:
        """All rows in one table; of a graph without rows, its tensors."""
        return stack(list(self.tables), self.signature.batch_axes) if self.signature.has_rows else self.tables[0]

    @property
    def kept(self) -> bool:
        """Whether they are small enough for the bundle."""
        fits = sum(values.nbytes for table in self.tables for values in table.values()) <= MOST_KEPT
        return fits and (self.signature.has_rows or len(self.tables) == 1)

    @property
    def sha256(self) -> str:
        """The digest of all rows, in order."""
        return hashlib.sha256("".join(self.digests()).encode()).hexdigest()

    def digests(self) -> Iterator[str]:
        """The digest of each row."""
        axes = self.signature.batch_axes
        for table in self.tables:
            count = rows_of(table, axes) if self.signature.has_rows else 1
            parts = (take(table, slice(i, i + 1), axes) if self.signature.has_rows else table for i in range(count))
            yield from map(_digest, parts)


def _digest(row: Table) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(row.items()):
        content = repr(values.tolist()).encode() if values.dtype.kind in "OU" else values.tobytes()
        digest.update(f"{name} {values.dtype} {values.shape} {len(content)} ".encode() + content)
    return digest.hexdigest()


def read_rows(path: Path, signature: Signature) -> Rows:
    """The rows of a file; `UsageError` where there is none, or a rule of the signature forbids one."""
    tables = tuple(stream(path, signature))
    if not tables or (signature.has_rows and not sum(rows_of(table, signature.batch_axes) for table in tables)):
        raise UsageError(f"{path.name} holds no row")
    for table in tables:
        broken = next(violations(signature, table), None)
        if broken is not None:
            raise UsageError(f"{path.name}: row {broken.row}, column {broken.column!r}: {broken.reason}")
    return Rows(tables, signature, path.name)


def check_apart(calibration: Rows, rows: Rows) -> None:
    """Raises `UsageError` where a calibration row is one of the rows that judge."""
    known = {digest: i for i, digest in enumerate(rows.digests())}
    for i, digest in enumerate(calibration.digests()):
        if digest in known:
            raise UsageError(
                f"row {i} of {calibration.source} is row {known[digest]} of {rows.source}: rows that judge a variant "
                "must not be those that it was calibrated with; give others"
            )


def feeds_of(session: Any, tables: Sequence[Table]) -> Iterator[dict[str, Any]]:
    """The rows as the graph takes them, under the graph's own names."""
    names = {t.name: t.in_graph for t in session.signature.inputs}
    for table in tables:
        yield {names[name]: values for name, values in session.feeds(table).items()}
