"""`mlpack tune`: how ONNX Runtime runs a bundle fastest on this kind of machine, within what was proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import rows_of, take
from mlpack_toolkit.runtimes.engine.tuning import LEVELS, Tuning, key_of, kind_of_machine
from mlpack_toolkit.runtimes.server.manifest import CPU

from ..accuracy.again import hold_again
from ..accuracy.speed import beside
from ..bundle.golden import GoldenCase
from ..bundle.reader import Bundle, check_files, open_bundle
from ..environments.system import machine
from ..equivalence.comparison import differences
from ..equivalence.runners import Graph
from ..equivalence.session import Session, session_of
from ..errors import DamagedError, MismatchError, UsageError
from ..kernels import preferred
from ..latency.curve import Curve, curve_of
from ..latency.state import observed
from ..providers import load
from .bench import THREADS, example_rows, measure_session
from .proving import where, written
from .verify import replay_graph, title_of

KIND = "tune"
LEAST = 1.05
"""How many times as fast a choice must be to take the place of a plainer one: less is noise."""
ENOUGH = 0.95
"""Of the most rows per second: the smallest batch that has so many is chosen."""
LARGE = "permuted batch"
"""The kind of probes that a build asks as one large batch."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Tried:
    """One candidate beside the best one before it, at one batch size. `why`: it was not measured, or not taken."""

    tuning: Tuning
    p50_ms: float = 0.0
    best_p50_ms: float = 0.0
    speedup: float = 0.0
    taken: bool = False
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this candidate."""
        return {**vars(self), "tuning": self.tuning.to_json()}


def tune_bundle(
    folder: Path, variant: str | None, batch: int, seconds: float, progress: Progress = lambda step: None
) -> dict[str, Any]:
    """The choice with its evidence, which becomes a file of the bundle.

    Each candidate answers every golden case within the proof, or is left out. `batch`: the rows of a request.
    `seconds`: for all measurements together. Raises `UsageError` for a variant that runs elsewhere than on the CPU.
    """
    bundle = open_bundle(folder)
    progress("checking every file's digest")
    check_files(bundle)
    name = variant or preferred(bundle)[0]
    if bundle.variant(name).provider != CPU:
        raise UsageError(f"the variant {name} runs on {bundle.variant(name).provider}: mlpack tune is for the CPU's")
    _check_batch(bundle, name, batch)
    with observed() as state:
        tuning, tried = _Search(bundle, name, batch, seconds, progress).best()
        progress("measuring batch sizes")
        curve, why = _batches(bundle, name, seconds)
    chosen = replace(tuning, batch=_rows_of(curve))
    kind = kind_of_machine()
    facts = {
        **where(bundle, load("cpu"), name),
        "kind": key_of(kind),
        "kind_of_machine": kind,
        "choice": chosen.to_json(),
        "default": Tuning(THREADS).to_json(),
        "batch": batch,
        "tried": [each.to_json() for each in tried],
        "throughput": {**curve.to_json(), **({"left_out": why} if why else {})},
        "state": state,
    }
    return {"bundle": str(folder), "identity": bundle.identity, **facts, **written(bundle, KIND, facts)}


def _check_batch(bundle: Bundle, variant: str, batch: int) -> None:
    sizes = bundle.signature.batch_sizes
    most = min(proved_rows(bundle, variant), sizes.largest)
    if batch not in sizes or batch > most:
        raise UsageError(f"--batch {batch}: the bundle was proved with batches of at most {most} rows")


def proved_rows(bundle: Bundle, variant: str) -> int:
    """The rows of the largest batch in which the answers were compared, by the report, and by the golden cases."""
    probes = bundle.json(bundle.proof(variant).report).get("probes", {})
    large = [int(errors["rows"]) for errors in probes.get(LARGE, {}).values()]
    cases = [rows_of(case.rows, bundle.signature.batch_axes) for case in bundle.golden() if not case.error]
    return max([*large, *cases, 1])


def changes(cores: int) -> Iterator[tuple[str, Any]]:
    """What is tried, one thing after the other: its name in `Tuning`, and its value."""
    threads = [n for n in (2, 4, 8, 16, 32, 64, 128) if n < cores]
    yield from (("threads", n) for n in (*threads, *((cores,) if cores > 1 else ())))
    yield from (("level", level) for level in reversed(LEVELS[:-1]))
    if cores > 1:
        yield from (("inter", 2), ("spinning", True))


@dataclass(frozen=True)
class _Search:
    """One thing after the other: threads, level, nodes at a time, spinning; each beside the best one before it."""

    bundle: Bundle
    variant: str
    batch: int
    seconds: float
    progress: Progress

    def best(self) -> tuple[Tuning, list[Tried]]:
        """The choice, and all that was tried."""
        best, tried = Tuning(THREADS), list[Tried]()
        things = list(changes(int(machine()["cores_usable"])))
        each, end = self.seconds / (len(things) + 1), perf_counter() + self.seconds
        session = self._session(best)
        rows = example_rows(self.bundle)
        for i, (thing, value) in enumerate(things):
            tuning = replace(best, **{thing: value})
            self.progress(f"trying {i + 1} of {len(things)}: {thing} {value}")
            if perf_counter() > end:
                tried.append(Tried(tuning, why="no time left"))
            elif tuning.spinning and tuning.threads == 1:
                tried.append(Tried(tuning, why="one thread waits for no other"))
            else:
                tried.append(self._tried(session, tuning, rows, each))
                if tried[-1].taken:
                    best, session = tuning, self._session(tuning)
        return best, tried

    def _session(self, tuning: Tuning) -> Session:
        return session_of(self.bundle, variant=self.variant, tuning=tuning)

    def _tried(self, session: Session, tuning: Tuning, rows: Table, seconds: float) -> Tried:
        other = self._session(tuning)
        if why := within_proof(self.bundle, other, self.variant):
            return Tried(tuning, why=why)
        (found,) = beside(session, other, rows, seconds, (self.batch,))
        taken = found["speedup"] >= LEAST
        times = found["variant_p50_ms"], found["parent_p50_ms"], found["speedup"]
        return Tried(tuning, *times, taken, "" if taken else f"not {LEAST:g} times as fast as the best before it")


def within_proof(bundle: Bundle, session: Session, variant: str) -> str:
    """Why a loaded variant does not answer the golden cases within its proof; empty where it does."""
    graph = Graph(title_of(variant), session)
    try:
        if bundle.proof(variant).gate:
            hold_again(bundle, graph, variant)
        else:
            replay_graph(bundle, graph, variant)
    except MismatchError as error:
        return f"beyond the proof: {error}"
    return ""


def _batches(bundle: Bundle, variant: str, seconds: float) -> tuple[Curve, str]:
    """The curve with all threads, as `mlpack predict` runs, of the batch sizes that are within the proof; and why it
    ends before its largest one."""
    session = session_of(bundle, variant=variant)
    rows, most = example_rows(bundle), proved_rows(bundle, variant)
    first = measure_session(session, rows, seconds / 20, (1,) if 1 in bundle.signature.batch_sizes else (most,))
    curve = curve_of(session, rows, first, seconds / 20, most_rows=most)
    held: list[Mapping[str, float]] = []
    for point in curve.points:
        if why := _beyond(bundle, session, variant, int(point["batch"])):
            return replace(curve, points=tuple(held or curve.points[:1])), why
        held.append(point)
    return curve, ""


def _beyond(bundle: Bundle, session: Session, variant: str, size: int) -> str:
    """Why the example's rows in a batch of that size are not answered as recorded; empty where they are."""
    if bundle.proof(variant).gate or not bundle.signature.has_rows:
        return ""
    for case in _cases(bundle):
        repeated = _repeated(bundle, case, size)
        if differences(repeated, session.run(repeated.rows), session.signature):
            return f"{case.identifier} repeated to {size} rows: beyond the tolerance"
    return ""


def _cases(bundle: Bundle) -> Sequence[GoldenCase]:
    found = [case for case in bundle.golden() if case.probe == "example" and not case.error]
    if not found:
        raise DamagedError(f"the bundle {bundle.place} holds no golden case of the example")
    return found


def _repeated(bundle: Bundle, case: GoldenCase, size: int) -> GoldenCase:
    """The case with its rows again and again, so many in all."""
    axes = bundle.signature.batch_axes
    places = np.arange(size) % rows_of(case.rows, axes)
    return replace(case, rows=take(case.rows, places, axes), answers=take(case.answers, places, axes))


def _rows_of(curve: Curve) -> int:
    """The smallest batch with nearly the most rows per second, by the median of a run: a stall of the machine has no
    part in it."""
    rates = {int(p["batch"]): p["batch"] / p["p50_ms"] for p in curve.points}
    return min(batch for batch, rate in rates.items() if rate >= ENOUGH * max(rates.values()))
