"""Judges a variant beside its parent on rows: the metric, its worst row, and how many rows are beyond the limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.table import rows_of, stack, take

from ..equivalence.comparison import by_row, shown
from ..equivalence.runners import Runner
from ..errors import UsageError
from .metrics import METRICS, Array, Metric, upper_bound

BATCH = 64
"""Rows that are asked at once; and as many are asked one by one, too."""
MOST_BYTES = 64 << 20
"""Of the answers to a batch: those of a language model have a number for each word that it knows."""
SHARE = 2.0**-10
"""The largest error of half precision by default, as a share of the largest answer."""
HALF = Metric("half", METRICS["max_abs"].per_row, "largest difference, as a share of the output's largest number")


@dataclass(frozen=True)
class Gate:
    """What a variant is held to. `output`: the one that the metric is taken on; empty: those that it fits."""

    metric: str
    limit: float
    output: str = ""


@dataclass(frozen=True)
class Judged:
    """What came of a gate.

    `value`: the metric; `rows`: how many it was taken on; `beyond`: those of them beyond the limit; `worst`: the worst
    row. `faults`: what fails whatever the metric says, in sentences.
    """

    gate: Gate
    meaning: str
    value: float
    rows: int
    beyond: int
    worst: Mapping[str, Any]
    outputs: tuple[str, ...]
    holds: bool
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this judgement; `bound`: the share of rows beyond the limit, at most, at 95 %."""
        return {
            "metric": self.gate.metric,
            "meaning": self.meaning,
            "limit": self.gate.limit,
            "value": self.value,
            "rows": self.rows,
            "beyond": self.beyond,
            "bound": upper_bound(self.beyond, self.rows),
            "outputs": list(self.outputs),
            "worst": dict(self.worst),
        }

    @property
    def words(self) -> str:
        """The judgement in a sentence."""
        if self.faults:
            return self.faults[0]
        row = f", worst row {self.worst['row']}: {self.worst['value']:.4g}" if "row" in self.worst else ""
        return f"{self.gate.metric} is {self.value:.6g} on {self.rows} rows, and the limit is {self.gate.limit:g}{row}"


@dataclass
class Tally:
    """What both sides' answers come to, batch by batch: numbers by row, not the answers, but for the user's own metric.

    `values`: by output, the metric of each row. `largest`: by output, the parent's largest number. `margins`: by output
    of scores, the least distance of the two largest of each row; `differs`: by output of labels, which rows differ.
    `want`, `got`: both sides' answers, for the user's own metric alone.
    """

    gate: Gate
    axes: Mapping[str, int | None]
    outputs: tuple[str, ...] = ()
    values: dict[str, list[Array]] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)
    margins: dict[str, list[Array]] = field(default_factory=dict)
    differs: dict[str, list[Array]] = field(default_factory=dict)
    want: dict[str, list[Array]] = field(default_factory=dict)
    got: dict[str, list[Array]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, want: Table, got: Table) -> None:
        """Takes the answers to one batch."""
        pairs = {name: self._pair(name, want[name], got.get(name)) for name in want}
        known = {name: pair for name, pair in pairs.items() if pair is not None}
        self.outputs = self.outputs or self._chosen({name: pair[0] for name, pair in known.items()})
        for name, (expected, actual) in known.items():
            if self.gate.metric not in (*METRICS, HALF.name):
                self.want.setdefault(name, []).append(expected)
                self.got.setdefault(name, []).append(actual)
            elif name in self.outputs:
                metric = HALF if self.gate.metric == HALF.name else METRICS[self.gate.metric]
                self.values.setdefault(name, []).append(_finite(metric, expected, actual))
            if self.gate.metric == HALF.name:
                self._note(name, expected, actual)

    def _pair(self, name: str, expected: Array, actual: Array | None) -> tuple[Array, Array] | None:
        """Both sides with their rows along the first axis; None where they cannot be compared."""
        if actual is None or actual.shape != expected.shape or actual.dtype.kind != expected.dtype.kind:
            self.faults.append(f"the output {name!r} has another type or shape than the parent's")
            return None
        if expected.dtype.kind == "f" and (np.isfinite(expected) & ~np.isfinite(actual)).any():
            self.faults.append(f"the output {name!r} is not finite where the parent's is")
        return by_row(expected, self.axes.get(name)), by_row(actual, self.axes.get(name))

    def _chosen(self, want: Table) -> tuple[str, ...]:
        """The outputs that the metric is taken on."""
        if self.gate.output and self.gate.output not in want:
            raise UsageError(f"there is no output {self.gate.output!r}; there are: {', '.join(want)}")
        metric = METRICS.get(self.gate.metric, HALF)
        names = (self.gate.output,) if self.gate.output else tuple(want)
        if self.gate.metric not in (*METRICS, HALF.name):
            return names
        fitting = tuple(name for name in names if _fits(metric, want[name]))
        if not fitting:
            wanted = "of floats with a last axis of two or more" if metric.columns else "of floats"
            raise UsageError(
                f"the metric {metric.name} needs an output {wanted}, and there is none: name another metric"
            )
        return fitting[:1] if metric.name in ("top1", "kl") else fitting

    def _note(self, name: str, expected: Array, actual: Array) -> None:
        """What the default of half precision needs beside the differences."""
        if expected.dtype.kind != "f":
            differs = (expected != actual).reshape(len(expected), int(np.prod(expected.shape[1:]))).any(axis=1)
            self.differs.setdefault(name, []).append(differs)
            return
        most = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
        self.largest[name] = max(self.largest.get(name, 0.0), most)
        if _fits(METRICS["top1"], expected):
            self.margins.setdefault(name, []).append(_margin(expected))

    def by_row(self) -> Array:
        """The metric of each row: the worst of the outputs; of half precision as a share of the output's size."""
        metric, found = METRICS.get(self.gate.metric, HALF), None
        for name, parts in self.values.items():
            each = np.concatenate(parts) / ((self.largest.get(name) or 1.0) if metric is HALF else 1.0)
            found = each if found is None else metric.worse(found, each)
        return np.zeros(0) if found is None else found

    def labels(self) -> tuple[str, ...]:
        """A sentence for each output of labels that differs where the parent's scores are not near each other."""
        near: Array | bool = False
        for name, parts in self.margins.items():
            near = near | (np.concatenate(parts) <= 2 * SHARE * self.largest[name])
        found = []
        for name, parts in self.differs.items():
            rows = np.flatnonzero(np.concatenate(parts) & ~np.asarray(near))
            if len(rows):
                found.append(f"the output {name!r} differs in row {rows[0]}, whose scores are not near each other")
        return tuple(found)


def _fits(metric: Metric, values: Array) -> bool:
    return values.dtype.kind == "f" and (not metric.columns or (values.ndim > 1 and values.shape[-1] > 1))


def _finite(metric: Metric, want: Array, got: Array) -> Array:
    """By row, the metric; a place that is not finite in the parent counts as equal."""
    known = np.isfinite(want)
    return metric.per_row(np.where(known, want, 0), np.where(known, got, 0))


def _margin(scores: Array) -> Array:
    """By row, the least distance of the two largest columns."""
    top = np.sort(scores, axis=-1)[..., -2:]
    return np.asarray((top[..., 1] - top[..., 0]).reshape(len(scores), -1).min(axis=1))


def _tallied(gate: Gate, parent: Runner, other: Runner, batches: Sequence[Table]) -> Tally:
    """The answers of both to all rows: in batches, and the first rows one by one, in which an answer may differ."""
    tally = Tally(gate, other.signature.batch_axes)
    alone = BATCH if gate.metric in (*METRICS, HALF.name) else 0  # the user's own metric takes each row once
    for batch in _asked(other.signature, parent, batches, alone):
        tally.add(parent.run(batch), other.run(batch))
    return tally


def _asked(signature: Signature, parent: Runner, batches: Sequence[Table], alone: int) -> Iterator[Table]:
    """The rows in batches whose answers have about `MOST_BYTES`, then the first of them one by one."""
    axes, sizes = signature.batch_axes, signature.batch_sizes
    if not signature.has_rows:
        yield from batches
        return
    least = max(1, sizes.least)
    answers = parent.run(take(batches[0], slice(0, least), axes))
    each = sum(values.nbytes for values in answers.values()) / max(1, rows_of(answers, axes))
    step = max(least, min(BATCH, sizes.largest, int(MOST_BYTES / max(each, 1))))
    for batch in batches:
        count = rows_of(batch, axes)
        for start in range(0, count, step):
            yield take(batch, slice(start, min(count, start + step)), axes)
    alone = alone if 1 in sizes else 0
    for batch in batches:
        for row in range(min(alone, rows_of(batch, axes))):
            yield take(batch, slice(row, row + 1), axes)
        alone -= min(alone, rows_of(batch, axes))


def judge(gate: Gate, parent: Runner, other: Runner, batches: Sequence[Table], ask: Any = None) -> Judged:
    """The variant `other` beside its parent. `ask(want, got)`: the user's own metric, by row or in all."""
    signature = other.signature
    tally = _tallied(gate, parent, other, batches)
    count = sum(rows_of(batch, signature.batch_axes) for batch in batches) if signature.has_rows else len(batches)
    metric = HALF if gate.metric == HALF.name else METRICS.get(gate.metric) or _own(gate.metric)
    if tally.want:
        want, got = ({name: np.concatenate(v) for name, v in side.items()} for side in (tally.want, tally.got))
        values = np.atleast_1d(ask(want, got))
    else:
        values = tally.by_row()
    values = _merged(metric, values, count)
    value = metric.of_all(values)
    beyond = int(sum(not metric.holds(each, _single(metric, gate)) for each in values))
    faults = (*dict.fromkeys(tally.faults), *(tally.labels() if metric is HALF else ()))
    holds = not faults and bool(len(values)) and metric.holds(value, gate.limit)
    worst = _worst(metric, values, batches, signature)
    return Judged(gate, metric.meaning, value, count, beyond, worst, tally.outputs, holds, faults)


def _own(name: str) -> Metric:
    return Metric(name, METRICS["max_abs"].per_row, "the user's own metric")


def _single(metric: Metric, gate: Gate) -> float:
    """The limit of a single row: of a share, that all of it is the same."""
    return metric.whole if metric.mean else gate.limit


def _merged(metric: Metric, values: Array, count: int) -> Array:
    """A number for each row: where some were asked twice, the worse one."""
    first, again = values[:count].copy(), values[count:]
    if len(again):
        first[: len(again)] = metric.worse(first[: len(again)], again)
    return first


def _worst(metric: Metric, values: Array, batches: Sequence[Table], signature: Signature) -> dict[str, Any]:
    if not len(values):
        return {}
    row = int(np.argmin(values) if metric.higher else np.argmax(np.nan_to_num(values, nan=np.inf)))
    if not signature.has_rows:
        return {"row": row, "value": float(values[row])}
    inputs = shown(take(stack(list(batches), signature.batch_axes), row, signature.batch_axes))
    return {"row": row, "value": float(values[row]), "inputs": inputs}
