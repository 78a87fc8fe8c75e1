"""Probes with the original's answers, as the worker wrote them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.messages import Probed
from mlpack_toolkit.converters.spec import Axes, Signature, Table
from mlpack_toolkit.converters.table import rows_of, take
from mlpack_toolkit.runtimes.engine.rules import refused_rows

from ..original.replies import odd, tensors_in


@dataclass(frozen=True)
class Batch:
    """Tensors that are one probe. `kind`: of probe; `answers`: the original's; `refused`: its message where it rejects
    them; `asked`: whether it was asked at all. `changes`: the input or the dimension that is changed; `value`: the
    size, or the one value that the input is full of."""

    kind: str
    inputs: Table
    answers: Table
    refused: str = ""
    changes: str = ""
    value: Any = None
    asked: bool = True


@dataclass(frozen=True)
class Probes:
    """Rows, the kind of each, and the original's answers.

    `kinds`, `columns`: per row, the kind of probe and the column that it changes. `refused`: row to the original's
    message. `answers` holds the other rows, in order. `known`: kind, column, values tried, values known.
    `values`: by column, those that the model knows; `bounds`: where it may begin to reject. `features`: the model's
    columns in order, as `columns` names them. `batches`: rows that the original answered again, in batches of their
    own, and `batch_answers` to all of them, in order. `axes`: the batch axis of each tensor; None: the first
    one. `noise`: by output, how far the original is from itself
    on the example; `noise_of(batch)`: and on another batch. `others`: batches of
    other sizes, which no table of rows could hold.
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
    axes: Axes | None = None
    others: tuple[Batch, ...] = ()
    noise: Mapping[str, float] = field(default_factory=dict)
    noise_of: Callable[[Table], Mapping[str, float]] = field(default=lambda batch: {})

    @classmethod
    def read(cls, folder: Path, reply: Probed) -> Probes:
        """The probes of the worker's reply, with the tables that it wrote."""
        found = cls(
            tensors_in(folder / "probes.npz"),
            np.array(reply.kinds, object),
            np.array(reply.columns, object),
            tensors_in(folder / "answers.npz"),
            dict(reply.refused),
            reply.known,
            dict(reply.values),
            reply.features,
            dict(reply.bounds),
            reply.batches,
            tensors_in(folder / "batches.npz"),
            reply.signature.batch_axes,
        )
        found._check(reply.signature)
        return found

    def _check(self, signature: Signature) -> None:
        """Raises `ModelError` where the parts do not fit each other."""
        rows, outputs = len(self.kinds), {each.name for each in signature.outputs}
        positions = [row for batch in self.batches for row in batch]
        answered = set(range(rows)) - self.refused.keys()
        fits = (
            rows == len(self.columns) == self.count
            and self.rows.keys() == {each.name for each in signature.inputs}
            and all(row < rows for row in self.refused)
            and answered.issuperset(positions)
            and _agree(self.rows, rows, self.axes)
            and _answer(self.answers, len(answered), outputs, self.axes)
            and _answer(self.batch_answers, len(positions), outputs)
        )
        if not fits:
            raise odd("its probes and the answers to them do not fit each other")

    @property
    def count(self) -> int:
        return rows_of(self.rows, self.axes)

    def refused_mask(self) -> np.ndarray[Any, Any]:
        """Which rows the original refused, `bool [N]`."""
        mask = np.zeros(self.count, bool)
        mask[list(self.refused)] = True
        return mask

    def answered(self) -> np.ndarray[Any, Any]:
        """The positions of the rows that the original answered."""
        return np.flatnonzero(~self.refused_mask())

    def in_reach(self, signature: Signature) -> np.ndarray[Any, Any]:
        """Which rows the signature's rules let pass, `bool [N]`."""
        return ~refused_rows(signature, self.rows, self.count)

    def keep(self, mask: np.ndarray[Any, Any]) -> tuple[Table, Table, np.ndarray[Any, Any]]:
        """Rows, answers and positions of the answered rows where `mask` (over all rows) holds."""
        positions = self.answered()
        chosen = mask[positions]
        rows = take(self.rows, positions[chosen], self.axes)
        return rows, take(self.answers, chosen, self.axes), positions[chosen]


def _answer(answers: Table, rows: int, outputs: set[str], axes: Axes | None = None) -> bool:
    """Whether these are answers to `count` rows."""
    return (not rows or answers.keys() == outputs) and (bool(answers) or not rows) and _agree(answers, rows, axes)


def _agree(table: Table, rows: int, axes: Axes | None) -> bool:
    """Whether every tensor has so many entries along its batch axis, where it has one."""
    along = {name: 0 if axes is None else axes.get(name) for name in table}
    return all((a := along[name]) is None or values.shape[a : a + 1] == (rows,) for name, values in table.items())
