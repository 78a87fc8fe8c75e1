"""Measures a graph's latency beside the original's, with equal threads, and records the machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

from mlpack_toolkit.converters.latency import PATIENCE, measure, quantiles, times_of, varied
from mlpack_toolkit.converters.messages import Measure
from mlpack_toolkit.converters.plugin import Options
from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.converters.table import rows_of, stack
from mlpack_toolkit.runtimes.server.manifest import CPU, REFERENCE

from ..bundle.reader import Bundle, open_bundle
from ..deadline import timed
from ..environments.system import machine
from ..equivalence.session import Session, session_of
from ..errors import DamagedError, LatencyError
from ..latency.curve import curve_of, with_bound
from ..latency.limits import NONE, Limits
from ..latency.state import observed
from ..original.replies import hand_over
from ..providers import load, name_of
from ..providers.spec import Provider
from .proving import measured, placed_in

BATCHES = (1, 8, 64, 1000)
MOST_BYTES = 16 << 20
"""The most bytes of a measured batch; several are in memory at once."""
THREADS = 1
WINDOWS = 4
LONGEST = 2.0
"""Seconds that a run of one batch may take, or `PATIENCE` times those of its window where that is longer."""
FORMAT = 1
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class LatencyReport:
    """Quantiles in milliseconds and rows per second by batch size, and the machine of the measurement."""

    graph: tuple[Numbers, ...]
    original: tuple[Numbers, ...]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    threads: int = THREADS
    provider: str = "CPUExecutionProvider"

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> LatencyReport:
        """The report that `to_json` wrote."""
        sides = tuple(plain["graph"]), tuple(plain["original"])
        return cls(*sides, plain["machine"], plain["versions"], plain["threads"], plain["provider"])

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this report; `speedup` is the original's median over the graph's."""
        return {
            "format": FORMAT,
            "provider": self.provider,
            "threads": self.threads,
            "graph": [dict(b) for b in self.graph],
            "original": [dict(b) for b in self.original],
            "speedup": self.speedups(),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
        }

    def speedups(self) -> dict[str, float]:
        """The speed-up by batch size: the original's median over the graph's."""
        original = {b["batch"]: b["p50_ms"] for b in self.original}
        return {
            str(int(b["batch"])): round(original[b["batch"]] / b["p50_ms"], 2)
            for b in self.graph
            if b["batch"] in original and b["p50_ms"]
        }


def sizes(signature: Signature, rows: Table) -> tuple[int, ...]:
    """The batch sizes to measure: only 1 for tensors without rows; fewer for large tensors."""
    if not signature.has_rows:
        return BATCHES[:1]
    each = sum(values.nbytes for values in rows.values()) / max(1, rows_of(rows, signature.batch_axes))
    fitting = [n for n in BATCHES if n in signature.batch_sizes] or [rows_of(rows, signature.batch_axes)]
    return tuple(n for n in fitting if n == fitting[0] or not signature.takes_tensors or n * each <= MOST_BYTES)


def measure_graph(
    model: Path | bytes, signature: Signature, rows: Table, seconds: float, batches: Sequence[int] = BATCHES
) -> tuple[Numbers, ...]:
    """The graph's latency on `THREADS` threads, without making the input tensors, as for the original."""
    return measure_session(Session(model, signature, threads=THREADS), rows, seconds, batches)


def measure_session(
    session: Session, rows: Table, seconds: float, batches: Sequence[int] = BATCHES
) -> tuple[Numbers, ...]:
    """The latency of a loaded graph.

    Measures the smallest batch in `WINDOWS` shorter windows, between the other sizes, so that a short load on the
    machine spoils only one of them. Its `best_p99_ms` is the p99 of the best one. Leaves out a size of which one run
    would take longer than `LONGEST`, at the time for each row of the size before: of a large network, a thousand rows
    take half a minute.
    """
    smallest, *others = sorted(batches)
    with timed() as restart:  # one for all runs, as its start would be measured
        axes = session.signature.batch_axes

        def clock(feeds: dict[str, Any]) -> float:
            restart()
            start = perf_counter()
            session.run_feeds(feeds)
            return perf_counter() - start

        def measure_next(size: int) -> None:
            last = found[-1] if found else windows.numbers()
            if last["p50_ms"] * size / last["batch"] <= 1e3 * max(LONGEST, PATIENCE * seconds):
                found.extend(measure(session.run_feeds, session.feeds, rows, (size,), seconds, clock, axes))

        windows = _Windows(clock, varied(session.feeds, rows, smallest, axes), smallest, seconds)
        found: list[Numbers] = []
        for i in range(max(WINDOWS, len(others))):
            if i < WINDOWS:
                windows.measure()
            for size in others[i : i + 1]:
                measure_next(size)
    return (windows.numbers(), *found)


class _Windows:
    """Timings of one batch size in several windows, together no longer than one of `seconds`."""

    def __init__(self, clock: Callable[[Any], float], inputs: Sequence[Any], size: int, seconds: float) -> None:
        self._clock, self._inputs, self._size, self._seconds = clock, inputs, size, seconds
        self._times: list[list[float]] = []

    def measure(self) -> None:
        """Measures one more window, unless the time is used up because every run is slow, not only a few."""
        times = sorted(chain(*self._times))
        usual = times[len(times) // 2] * len(times) if times else 0.0
        if usual < self._seconds:
            self._times.append(times_of(self._clock, self._inputs, self._seconds / WINDOWS, self._clock))

    def numbers(self) -> Numbers:
        """The quantiles of all windows together, and the p99 of the best one."""
        best = min(quantiles(times, self._size)["p99_ms"] for times in self._times)
        together = quantiles([time for times in self._times for time in times], self._size)
        return {**together, "windows": len(self._times), "best_p99_ms": best}


def example_rows(bundle: Bundle) -> Table:
    """The rows of the golden cases of the example; raises `DamagedError`."""
    found = [case.rows for case in bundle.golden() if case.probe == "example" and not case.error]
    axes = bundle.signature.batch_axes
    if not found or not rows_of(found[0], axes):
        raise DamagedError(f"the bundle {bundle.place} holds no golden case of the example, whose rows are measured")
    return stack(found, axes)


def bench_bundle(
    folder: Path,
    against: str | None,
    python: str,
    seconds: float,
    allow: Sequence[str] = (),
    options: Options | None = None,
    variant: str | None = None,
    provider: str | None = None,
    limits: Limits = NONE,
    within: float | None = None,
) -> dict[str, Any]:
    """The latency of a variant on the bundle's golden rows; with `against`, also the original's or the reference's.

    `variant`: None: the reference. `provider`: the name of one; None: the variant's own. On another one than the CPU
    the measurement becomes evidence of the bundle. `limits`: raises `LatencyError` where the p99 at the smallest batch
    is above. `within`: milliseconds; then the curve of throughput is measured, and its best point within them.
    """
    bundle = open_bundle(folder)
    rows, chosen = example_rows(bundle), variant or REFERENCE
    asked = load(provider) if provider else None
    name = asked.name if asked else name_of(bundle.variant(chosen).provider)
    limits.check_measured((name,), "bench")
    nodes = placed_in(bundle, asked, chosen) if asked and asked.title != CPU else None
    session = session_of(bundle, THREADS, asked.title if asked else "", chosen)
    with observed() as state:
        graph = measure_session(session, rows, seconds, sizes(bundle.signature, rows))
        graph = with_bound(session, rows, seconds / WINDOWS, graph)
        found = curve_of(session, rows, graph, seconds, within).to_json() if within is not None else None
        other, versions = _beside(bundle, against, asked, rows, graph, (python, allow, options), seconds)
    more: dict[str, Any] = {"variant": variant} if variant else {}
    more |= {"against": REFERENCE} if against == REFERENCE else {}
    more |= {"state": state, **({"throughput": found} if found else {})}
    latency = replace(latency_report(graph, other, versions), provider=session.provider)
    report = latency.to_json() | more
    report |= {"proof": measured(bundle, asked, chosen, nodes, report)} if asked and nodes else {}
    check_gate(latency, limits.of(name), name)
    return report


def _beside(
    bundle: Bundle,
    against: str | None,
    asked: Provider | None,
    rows: Table,
    graph: Sequence[Numbers],
    given: tuple[str, Sequence[str], Options | None],
    seconds: float,
) -> tuple[Sequence[Numbers], Mapping[str, str]]:
    """The latency of the other side, and its versions; `given`: the interpreter, the trust and the options of an
    original."""
    if against == REFERENCE:
        reference = session_of(bundle, THREADS, asked.title if asked else "")
        return measure_session(reference, rows, seconds, sizes(bundle.signature, rows)), {}
    if against:
        return _original(bundle, *given, rows, [int(each["batch"]) for each in graph], seconds)
    return (), {}


def _original(
    bundle: Bundle,
    python: str,
    allow: Sequence[str],
    options: Options | None,
    rows: Table,
    batches: Sequence[int],
    seconds: float,
) -> tuple[Sequence[Numbers], Mapping[str, str]]:
    from ..original.reload import original_worker

    with original_worker(bundle, python, allow, options) as (worker, loaded, scratch):
        hand_over(rows, scratch / "rows.npz")
        reply = worker.call(Measure(str(scratch / "rows.npz"), tuple(batches), seconds))
    return reply.batches, loaded.versions


def latency_report(graph: Sequence[Numbers], original: Sequence[Numbers], versions: Mapping[str, str]) -> LatencyReport:
    """The report of measurements made on this machine."""
    import onnxruntime

    return LatencyReport(
        tuple(graph), tuple(original), machine(), {**versions, "onnxruntime": str(onnxruntime.__version__)}
    )


def check_gate(report: LatencyReport, max_p99_ms: float | None, provider: str = "") -> None:
    """Raises `LatencyError` where the graph's p99 at the smallest batch, in its best window, is above the gate.

    `provider`: its name, where the message says it.
    """
    if max_p99_ms is None:
        return
    single = min(report.graph, key=lambda b: b["batch"])
    p99, p50, windows = single.get("best_p99_ms", single["p99_ms"]), single["p50_ms"], single.get("windows", 1)
    if p99 > max_p99_ms:
        judged = f"p50 {p50:g} ms, judged by the best of {windows:g} windows"
        raise LatencyError(
            f"p99 at batch {single['batch']:g} is {p99:g} ms, above the gate of {max_p99_ms:g} ms ({judged})"
            + (f" on {provider}" if provider else ""),
            p99_ms=p99,
            p50_ms=p50,
            max_p99_ms=max_p99_ms,
            **({"provider": provider} if provider else {}),
        )
