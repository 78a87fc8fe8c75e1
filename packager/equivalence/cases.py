"""Chooses about a dozen golden cases from the probes: each kind of probe, the empty batch, and rejected rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice

import numpy as np

from mlpack_toolkit.converters.spec import Signature
from mlpack_toolkit.converters.table import rows_of, take
from mlpack_toolkit.runtimes.engine.rules import violations

from ..bundle.golden import GoldenCase, Tolerance, bare
from .probes import Probes
from .refusals import FIRM

ROWS = 8
PIECES = 2
REFUSALS = 4
WHOLES = 8
LARGEST = 8 << 20
"""The most bytes of a batch of another size that becomes a golden case."""


def golden_cases(
    signature: Signature, probes: Probes, allowed: Mapping[str, Tolerance], noisy: Collection[str] = ()
) -> tuple[GoldenCase, ...]:
    """The cases, numbered in their order. `noisy`: kinds of batches to leave out, whose tolerance is wider."""
    probes = replace(probes, others=tuple(batch for batch in probes.others if batch.kind not in noisy))
    found = [*_answered(signature, probes), *_refused(signature, probes)]
    return tuple(
        GoldenCase(f"case-{i:03d}", c.probe, bare(signature, c.rows), c.answers, c.error, allowed)
        for i, c in enumerate(found)
    )


def _answered(signature: Signature, probes: Probes) -> Iterator[GoldenCase]:
    if not signature.has_rows:
        yield GoldenCase("", "example", probes.rows, probes.answers)
        yield from _wholes(signature, probes)
        return
    axes = probes.axes
    reach = probes.in_reach(signature)
    for kind in dict.fromkeys(probes.kinds):
        rows, answers, _ = probes.keep(reach & (probes.kinds == kind))
        count = rows_of(answers, axes)
        if not count:
            continue
        chosen = np.unique(np.linspace(0, count - 1, min(count, _most(str(kind)))).astype(int))
        for piece in np.array_split(chosen, PIECES if kind in FIRM and len(chosen) > ROWS else 1):
            yield GoldenCase("", str(kind), take(rows, piece, axes), take(answers, piece, axes))
        if kind == "example":
            for size in (each for each in (1, 0) if each in signature.batch_sizes):
                part = slice(0, size)
                yield GoldenCase("", f"batch of {size}", take(rows, part, axes), take(answers, part, axes))
    yield from _wholes(signature, probes)


def _wholes(signature: Signature, probes: Probes) -> Iterator[GoldenCase]:
    """Some of the batches of other sizes that the original answers, the first ones and no large ones."""
    answered = (b for b in probes.others if not b.refused and next(violations(signature, b.inputs), None) is None)
    small = (b for b in answered if sum(v.nbytes for v in (*b.inputs.values(), *b.answers.values())) <= LARGEST)
    yield from (GoldenCase("", b.kind, b.inputs, b.answers) for b in islice(small, WHOLES))


def _most(kind: str) -> int:
    return 3 * ROWS if kind in ("unseen", *FIRM) else ROWS


def _refused(signature: Signature, probes: Probes) -> Iterator[GoldenCase]:
    forbidden = ~probes.in_reach(signature)
    seen: set[str] = set()
    for row, message in probes.refused.items():
        kind = str(probes.kinds[row])
        if forbidden[row] and kind not in seen and len(seen) < REFUSALS:
            seen.add(kind)
            refused = take(probes.rows, slice(row, row + 1), probes.axes)
            yield GoldenCase("", kind, refused, {}, error=message.splitlines()[0][:300])
