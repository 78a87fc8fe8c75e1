"""A dozen golden cases out of the probes: each kind of probe, the empty batch, and what the original refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mlpack_toolkit.converters.spec import Signature
from mlpack_toolkit.converters.table import take
from mlpack_toolkit.runtimes.engine.rules import refused_rows

from ..bundle.golden import GoldenCase, Tolerance, bare
from .probes import Probes
from .refusals import FIRM

ROWS = 8
PIECES = 2
REFUSALS = 4


def golden_cases(signature: Signature, probes: Probes, allowed: Mapping[str, Tolerance]) -> tuple[GoldenCase, ...]:
    """The cases, numbered in their order."""
    found = [*_answered(signature, probes), *_refused(signature, probes)]
    return tuple(
        GoldenCase(f"case-{i:03d}", c.probe, bare(signature, c.rows), c.answers, c.error, allowed)
        for i, c in enumerate(found)
    )


def _answered(signature: Signature, probes: Probes) -> Iterator[GoldenCase]:
    if signature.fixed_rows is not None:
        yield GoldenCase("", "example", probes.rows, probes.answers)
        return
    reach = ~refused_rows(signature, probes.rows, probes.count)
    for kind in dict.fromkeys(probes.kinds):
        rows, answers, _ = probes.keep(reach & (probes.kinds == kind))
        count = len(next(iter(answers.values()), ()))
        if not count:
            continue
        chosen = np.unique(np.linspace(0, count - 1, min(count, _most(str(kind)))).astype(int))
        for piece in np.array_split(chosen, PIECES if kind in FIRM and len(chosen) > ROWS else 1):
            yield GoldenCase("", str(kind), take(rows, piece), take(answers, piece))
        if kind == "example":
            yield GoldenCase("", "batch of 1", take(rows, slice(0, 1)), take(answers, slice(0, 1)))
            yield GoldenCase("", "batch of 0", take(rows, slice(0, 0)), take(answers, slice(0, 0)))


def _most(kind: str) -> int:
    return 3 * ROWS if kind in ("unseen", *FIRM) else ROWS


def _refused(signature: Signature, probes: Probes) -> Iterator[GoldenCase]:
    forbidden = refused_rows(signature, probes.rows, probes.count)
    seen: set[str] = set()
    for row, message in probes.refused.items():
        kind = str(probes.kinds[row])
        if forbidden[row] and kind not in seen and len(seen) < REFUSALS:
            seen.add(kind)
            yield GoldenCase("", kind, take(probes.rows, slice(row, row + 1)), {}, error=message.splitlines()[0][:300])
