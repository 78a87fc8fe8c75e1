"""Runners asked all probes, and their answers compared with the reference answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpack_toolkit.converters.spec import Signature

from ..bundle.golden import Tolerance
from .batches import as_wholes, by_kind, hangs_on_batch
from .comparison import WORST_SHOWN, Errors, compare, worst
from .noise import Noise
from .probes import Probes
from .runners import Runner
from .sizes import SINGLES, in_other_sizes


@dataclass(frozen=True)
class Compared:
    """What came of one runner.

    `runner`: its name; `signature`: whose rules chose the probes. `errors`: by kind of probe, then by output.
    `refused`: by kind, how many probes the rules or the original refuse; `worst`: rows that differ.
    `noise`: by kind, how far the original is from itself, where that widened a tolerance.
    """

    runner: str
    signature: Signature
    tolerances: Mapping[str, Tolerance]
    errors: Mapping[str, Mapping[str, Errors]]
    refused: Mapping[str, int]
    worst: tuple[dict[str, Any], ...]
    noise: Mapping[str, Noise] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether no answer is beyond its tolerance."""
        return not any(e.mismatches for outputs in self.errors.values() for e in outputs.values())


def compare_runners(
    runners: Iterable[Runner], probes: Probes, allowed: Mapping[str, Tolerance]
) -> tuple[Compared, ...]:
    """Each runner compared with the same reference answers, in their order: see `compare_runner`."""
    return tuple(compare_runner(runner, probes, allowed) for runner in runners)


def compare_runner(runner: Runner, probes: Probes, allowed: Mapping[str, Tolerance]) -> Compared:
    """One runner asked all probes: at once, in batches of other sizes and orders, each kind by itself, and as wholes.

    `probes` holds the reference answers; `allowed`: what each float output may differ by.
    """
    kept = probes.in_reach(runner.signature)
    rows, want, positions = probes.keep(kept)
    kinds = probes.kinds[positions]
    got = runner.run(rows)
    together = compare(want, got, kinds, allowed, probes.axes)
    errors = dict(together.errors)
    if runner.signature.has_rows:
        alone = 0 if hangs_on_batch(probes, allowed) else SINGLES
        errors |= in_other_sizes(runner, rows, want, allowed, probes.axes, alone)
        errors |= by_kind(runner, probes, kept, allowed)
    wholes = as_wholes(runner, probes, allowed)
    refused = Counter(map(str, probes.kinds[~kept | probes.refused_mask()])) + wholes.refused
    shown = (*worst(rows, want, got, kinds, together.differs, probes.axes), *wholes.worst)[:WORST_SHOWN]
    return Compared(runner.name, runner.signature, allowed, errors | wholes.errors, dict(refused), shown, wholes.noise)
