"""Compares rows of each kind of probe alone and in a batch of that kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import take
from mlpack_toolkit.runtimes.engine.rules import violations

from ..bundle.golden import Tolerance
from ..errors import ConversionError
from .comparison import Comparison, Errors, compare, worst
from .noise import Noise, loosened
from .probes import Probes
from .runners import Runner

ALONE, TOGETHER = "one of each kind alone", "each kind by itself"


def by_kind(
    runner: Runner, probes: Probes, kept: np.ndarray[Any, Any], allowed: Mapping[str, Tolerance]
) -> dict[str, dict[str, Errors]]:
    """The errors of the batches that the original answered; skips a batch with a row outside the input constraints."""
    found: dict[str, list[tuple[Table, Table]]] = {ALONE: [], TOGETHER: []}
    for batch, want, got in _both(runner, probes, kept):
        found[ALONE if len(batch) == 1 else TOGETHER].append((want, got))
    return {kind: _errors(kind, pairs, allowed) for kind, pairs in found.items() if pairs}


def refuse_hanging(runner: Runner, probes: Probes, allowed: Mapping[str, Tolerance]) -> None:
    """Raises `ConversionError` where the runner differs and the original's own answers depend on the batch."""
    for batch, want, got in _both(runner, probes, probes.in_reach(runner.signature)):
        if not _compared(want, got, allowed).equal:
            _refuse_hanging(probes, batch, want, allowed)


def _both(runner: Runner, probes: Probes, kept: np.ndarray[Any, Any]) -> Iterator[tuple[tuple[int, ...], Table, Table]]:
    """Each batch within the input constraints, with the original's answers and the runner's."""
    for batch, want in _answered(probes):
        if kept[list(batch)].all():
            yield batch, want, runner.run(take(probes.rows, list(batch)))


@dataclass(frozen=True)
class Wholes:
    """`errors`: by kind, then by output; `refused`: by kind, how many the original or an input constraint
    rejects; `worst`: those that differ; `noise`: by kind, the original's, where its answers needed it."""

    errors: dict[str, dict[str, Errors]]
    refused: Counter[str]
    worst: tuple[dict[str, Any], ...]
    noise: Mapping[str, Noise]


def as_wholes(runner: Runner, probes: Probes, allowed: Mapping[str, Tolerance]) -> Wholes:
    """The batches of other sizes, each compared as a whole: it counts as one row."""
    errors: dict[str, dict[str, Errors]] = {}
    refused: Counter[str] = Counter()
    shown: list[dict[str, Any]] = []
    noisy: dict[str, Noise] = {}
    for batch in probes.others:
        if batch.refused or next(violations(runner.signature, batch.inputs), None) is not None:
            refused[batch.kind] += 1
            continue
        got, kinds = runner.run(batch.inputs), np.full(1, batch.kind, object)
        found = compare(batch.answers, got, kinds, allowed, dict.fromkeys(batch.answers))
        noise = {} if found.equal else probes.noise_of(batch.inputs)
        if noise:
            noisy[batch.kind] = noise
            own = loosened(allowed, noise, batch.answers)
            found = compare(batch.answers, got, kinds, own, dict.fromkeys(batch.answers))
        errors[batch.kind] = found.errors[batch.kind]
        shown += worst(batch.inputs, batch.answers, got, kinds, found.differs, {})
    return Wholes(errors, refused, tuple(shown), noisy)


def hangs_on_batch(probes: Probes, allowed: Mapping[str, Tolerance]) -> bool:
    """Whether the original's answer to some row differs from its answer in the batch of all kinds."""
    return any(_hanging(probes, batch, want, allowed).any() for batch, want in _answered(probes))


def _answered(probes: Probes) -> Iterator[tuple[tuple[int, ...], Table]]:
    start = 0
    for batch in probes.batches:
        yield batch, take(probes.batch_answers, slice(start, start + len(batch)))
        start += len(batch)


def _errors(kind: str, pairs: list[tuple[Table, Table]], allowed: Mapping[str, Tolerance]) -> dict[str, Errors]:
    want, got = ({n: np.concatenate([p[side][n] for p in pairs]) for n in pairs[0][0]} for side in (0, 1))
    found: dict[str, Errors] = _compared(want, got, allowed, kind).errors[kind]
    return found


def _compared(want: Table, got: Table, allowed: Mapping[str, Tolerance], kind: str = "") -> Comparison:
    return compare(want, got, np.full(len(next(iter(want.values()))), kind, object), allowed)


def _hanging(
    probes: Probes, batch: tuple[int, ...], want: Table, allowed: Mapping[str, Tolerance]
) -> np.ndarray[Any, Any]:
    """Per row of the batch, whether the original's answer differs from its answer in the batch of all kinds."""
    among = take(probes.answers, np.searchsorted(probes.answered(), batch))
    return np.asarray(_compared(among, want, allowed).differs)


def _refuse_hanging(probes: Probes, batch: tuple[int, ...], want: Table, allowed: Mapping[str, Tolerance]) -> None:
    hanging = np.flatnonzero(_hanging(probes, batch, want, allowed))
    if not hanging.size:
        return
    row = batch[int(hanging[0])]
    cells = {name: values[row] for name, values in probes.rows.items()}
    raise ConversionError(
        "the original's answer to a row depends on the other rows of the batch: in a batch of "
        f"{len(batch)} of kind {str(probes.kinds[row])!r} the answer differs from that in a batch of all kinds, and "
        f"the graph cannot follow that: {str(cells)[:400]}"
    )
