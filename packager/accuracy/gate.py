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
class Answers:
    """Both sides' answers, batch by batch: each output's rows along the first axis."""

    axes: Mapping[str, int | None]
    want: dict[str, list[Array]] = field(default_factory=dict)
    got: dict[str, list[Array]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, want: Table, got: Table) -> None:
        """Takes the answers to one batch."""
        for name, expected in want.items():
            actual = got.get(name)
            if actual is None or actual.shape != expected.shape or actual.dtype.kind != expected.dtype.kind:
                self.faults.append(f"the output {name!r} has another type or shape than the parent's")
                continue
            if expected.dtype.kind == "f" and (np.isfinite(expected) & ~np.isfinite(actual)).any():
                self.faults.append(f"the output {name!r} is not finite where the parent's is")
            self.want.setdefault(name, []).append(by_row(expected, self.axes.get(name)))
            self.got.setdefault(name, []).append(by_row(actual, self.axes.get(name)))

    def whole(self, name: str) -> tuple[Array, Array]:
        """All rows of an output, the parent's and the variant's."""
        return np.concatenate(self.want[name]), np.concatenate(self.got[name])


def answers_of(parent: Runner, other: Runner, signature: Signature, batches: Sequence[Table]) -> Answers:
    """The answers of both to all rows: in batches, and the first rows one by one, in which an answer may differ."""
    found = Answers(signature.batch_axes)
    for batch in _asked(signature, batches):
        found.add(parent.run(batch), other.run(batch))
    return found


def _asked(signature: Signature, batches: Sequence[Table]) -> Iterator[Table]:
    axes, alone = signature.batch_axes, BATCH
    if not signature.has_rows:
        yield from batches
        return
    for batch in batches:
        count = rows_of(batch, axes)
        for start in range(0, count, BATCH):
            yield take(batch, slice(start, min(count, start + BATCH)), axes)
    for batch in batches:
        for row in range(min(alone, rows_of(batch, axes))):
            yield take(batch, slice(row, row + 1), axes)
        alone -= min(alone, rows_of(batch, axes))


def judge(gate: Gate, parent: Runner, other: Runner, batches: Sequence[Table], ask: Any = None) -> Judged:
    """The variant `other` beside its parent. `ask(want, got)`: the user's own metric, by row or in all."""
    signature = other.signature
    answers = answers_of(parent, other, signature, batches)
    count = sum(rows_of(batch, signature.batch_axes) for batch in batches) if signature.has_rows else len(batches)
    if gate.metric == HALF.name:
        metric, (values, outputs) = HALF, _halves(answers)
    elif gate.metric in METRICS:
        metric = METRICS[gate.metric]
        outputs = _outputs(metric, gate, answers)
        values = _values(metric, answers, outputs)
    else:
        metric = Metric(gate.metric, METRICS["max_abs"].per_row, "the user's own metric")
        outputs = tuple(answers.want)
        pairs = {name: answers.whole(name) for name in outputs}
        values = np.atleast_1d(ask({n: a for n, (a, _) in pairs.items()}, {n: b for n, (_, b) in pairs.items()}))
    values = _by_row(metric, values, count)
    value = metric.of_all(values)
    beyond = int(sum(not metric.holds(each, _single(metric, gate)) for each in values))
    faults = tuple(dict.fromkeys(answers.faults)) + (_labels(answers) if gate.metric == HALF.name else ())
    holds = not faults and metric.holds(value, gate.limit)
    worst = _worst(metric, values, batches, signature)
    return Judged(gate, metric.meaning, value, count, beyond, worst, outputs, holds, faults)


def _single(metric: Metric, gate: Gate) -> float:
    """The limit of a single row: of a share, that all of it is the same."""
    return metric.whole if metric.mean else gate.limit


def _by_row(metric: Metric, values: Array, count: int) -> Array:
    """A number for each row: where some were asked twice, the worse one."""
    first, again = values[:count].copy(), values[count:]
    if len(again):
        first[: len(again)] = metric.worse(first[: len(again)], again)
    return first


def _outputs(metric: Metric, gate: Gate, answers: Answers) -> tuple[str, ...]:
    """The outputs that the metric is taken on."""
    if gate.output and gate.output not in answers.want:
        raise UsageError(f"there is no output {gate.output!r}; there are: {', '.join(answers.want)}")
    names = (gate.output,) if gate.output else tuple(answers.want)
    fitting = tuple(name for name in names if _fits(metric, answers.want[name][0]))
    if not fitting:
        wanted = "of floats with a last axis of two or more" if metric.columns else "of floats"
        raise UsageError(f"the metric {metric.name} needs an output {wanted}, and there is none (output = …)")
    return fitting[:1] if metric.name in ("top1", "kl") else fitting


def _fits(metric: Metric, values: Array) -> bool:
    return values.dtype.kind == "f" and (not metric.columns or (values.ndim > 1 and values.shape[-1] > 1))


def _values(metric: Metric, answers: Answers, outputs: Sequence[str]) -> Array:
    """By row, the worst of the outputs; a place that is not finite in the parent counts as equal there."""
    found: Array | None = None
    for name in outputs:
        each = np.concatenate(
            [_finite(metric, *pair) for pair in zip(answers.want[name], answers.got[name], strict=True)]
        )
        found = each if found is None else metric.worse(found, each)
    assert found is not None
    return found


def _finite(metric: Metric, want: Array, got: Array) -> Array:
    known = np.isfinite(want)
    return metric.per_row(np.where(known, want, 0), np.where(known, got, 0))


def _halves(answers: Answers) -> tuple[Array, tuple[str, ...]]:
    """By row, the largest difference as a share of the output's largest number."""
    names = tuple(name for name, parts in answers.want.items() if parts[0].dtype.kind == "f")
    if not names:
        raise UsageError(
            "half precision is held by the outputs of floats, and there is none: give a metric of your own"
        )
    found = []
    for name in names:
        largest = max((float(np.abs(part[np.isfinite(part)]).max(initial=0)) for part in answers.want[name]), default=0)
        pairs = zip(answers.want[name], answers.got[name], strict=True)
        found.append(np.concatenate([_finite(HALF, *pair) for pair in pairs]) / (largest or 1.0))
    return np.max(found, axis=0), names


def _labels(answers: Answers) -> tuple[str, ...]:
    """A sentence for each output of labels that differs where the parent's scores are not near each other."""
    found = []
    scores = [n for n, p in answers.want.items() if _fits(METRICS["top1"], p[0])]
    for name, parts in answers.want.items():
        if parts[0].dtype.kind == "f":
            continue
        want, got = answers.whole(name)
        differs = (want != got).reshape(len(want), -1).any(axis=1)
        near = np.zeros(len(want), bool)
        for each in scores:
            score = answers.whole(each)[0]
            near |= _margin(score) <= 2 * SHARE * float(np.abs(score[np.isfinite(score)]).max(initial=0))
        if (differs & ~near).any():
            row = int(np.flatnonzero(differs & ~near)[0])
            found.append(f"the output {name!r} differs in row {row}, whose scores are not near each other")
    return tuple(found)


def _margin(scores: Array) -> Array:
    """By row, the least distance of the two largest columns."""
    top = np.sort(scores, axis=-1)[..., -2:]
    return np.asarray((top[..., 1] - top[..., 0]).reshape(len(scores), -1).min(axis=1))


def _worst(metric: Metric, values: Array, batches: Sequence[Table], signature: Signature) -> dict[str, Any]:
    if not len(values):
        return {}
    row = int(np.argmin(values) if metric.higher else np.argmax(np.nan_to_num(values, nan=np.inf)))
    if not signature.has_rows:
        return {"row": row, "value": float(values[row])}
    inputs = shown(take(stack(list(batches), signature.batch_axes), row, signature.batch_axes))
    return {"row": row, "value": float(values[row]), "inputs": inputs}
