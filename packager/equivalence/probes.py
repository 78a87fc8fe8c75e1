"""Probes with the original's answers, as the worker wrote them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.messages import Probed
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.table import rows_of, take

from ..original.replies import odd, table_in


@dataclass(frozen=True)
class Probes:
    """Rows, what each is for, and what the original said.

    `kinds`, `columns`: per row, the kind of probe and the column that it changes. `refused`: row to the original's
    message. `answers` holds the other rows, in order. `known`: kind, column, values tried, values known.
    `values`: by column, those that the model knows; `bounds`: where it may begin to refuse. `features`: the model's
    columns in order, as `columns` names them. `batches`: rows that the original was asked again, in batches of their
    own, and `batch_answers` to all of them, in order.
    """

    rows: Table
    kinds: np.ndarray[Any, Any]
    columns: np.ndarray[Any, Any]
    answers: Table
    refused: dict[int, str]
    known: tuple[tuple[str, str, int, int], ...] = ()
    values: dict[str, list[Any]] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    bounds: dict[str, list[float]] = field(default_factory=dict)
    batches: tuple[tuple[int, ...], ...] = ()
    batch_answers: Table = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, reply: Probed) -> Probes:
        """The probes of the worker's reply, with the tables that it wrote."""
        found = cls(
            table_in(folder / "probes.npz"),
            np.array(reply.kinds, object),
            np.array(reply.columns, object),
            table_in(folder / "answers.npz"),
            dict(reply.refused),
            reply.known,
            dict(reply.values),
            reply.features,
            dict(reply.bounds),
            reply.batches,
            table_in(folder / "batches.npz"),
        )
        found._check(reply.signature)
        return found

    def _check(self, signature: Signature) -> None:
        """`ModelError` where the parts do not belong to each other."""
        rows, outputs = len(self.kinds), {each.name for each in signature.outputs}
        positions = [row for batch in self.batches for row in batch]
        answered = set(range(rows)) - self.refused.keys()
        fits = (
            rows == len(self.columns) == self.count
            and self.rows.keys() == {each.name for each in signature.inputs}
            and all(row < rows for row in self.refused)
            and answered.issuperset(positions)
            and _answer(self.answers, len(answered), outputs)
            and _answer(self.batch_answers, len(positions), outputs)
        )
        if not fits:
            raise odd("its probes and the answers to them do not fit each other")

    @property
    def count(self) -> int:
        return rows_of(self.rows)

    def answered(self) -> np.ndarray[Any, Any]:
        """The positions of the rows that the original answered."""
        mask = np.ones(self.count, bool)
        mask[list(self.refused)] = False
        return np.flatnonzero(mask)

    def keep(self, mask: np.ndarray[Any, Any]) -> tuple[Table, Table, np.ndarray[Any, Any]]:
        """Rows, answers and positions of the answered rows where `mask` (over all rows) holds."""
        positions = self.answered()
        chosen = mask[positions]
        return take(self.rows, positions[chosen]), take(self.answers, chosen), positions[chosen]


def _answer(answers: Table, rows: int, outputs: set[str]) -> bool:
    """Whether these are answers to so many rows."""
    return rows_of(answers) == rows and (not rows or answers.keys() == outputs)
