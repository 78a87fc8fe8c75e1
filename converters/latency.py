"""Measures prediction latency, with one clock for the original and the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .spec import Axes, Table
from .table import rows_of, take

WARM_UP = 3
LEAST_RUNS = 10
FEWEST_RUNS = 5
PATIENCE = 10
"""Times `seconds` after which slow runs end, however few they are: each of them takes seconds by itself."""
VARIED = 64


def measure(
    run: Callable[[Any], object],
    prepare: Callable[[Table], Any],
    rows: Table,
    batches: Sequence[int],
    seconds: float,
    clock: Callable[[Any], float] | None = None,
    axes: Axes | None = None,
) -> list[dict[str, float]]:
    """Returns, per batch size, quantiles in milliseconds, rows per second, and the number of runs.

    Every run takes other rows (a repeated row is answered from the processor's caches, far faster than in life).
    `prepare` is not timed. `seconds` are spent on each batch size; where they do not suffice for `LEAST_RUNS` runs,
    twice as long, and at least `FEWEST_RUNS` runs (fewer where these take `PATIENCE` times as long). `clock`: runs once
    and says by itself how long it took.
    """
    return [
        quantiles(times_of(run, varied(prepare, rows, size, axes), seconds, clock or _clocked(run)), size)
        for size in batches
    ]


def _clocked(run: Callable[[Any], object]) -> Callable[[Any], float]:
    from time import perf_counter

    def clock(x: Any) -> float:
        start = perf_counter()
        run(x)
        return perf_counter() - start

    return clock


def times_of(
    run: Callable[[Any], object], inputs: Sequence[Any], seconds: float, clock: Callable[[Any], float] | None = None
) -> list[float]:
    """Returns the seconds of each run in one window, after a warm-up."""
    from time import perf_counter

    clock = clock or _clocked(run)
    begun = perf_counter()
    for i, x in enumerate(inputs[:WARM_UP]):
        if not i or perf_counter() - begun < seconds:
            run(x)
    times: list[float] = []
    begun = perf_counter()
    while _goes_on(len(times), perf_counter() - begun, seconds):
        times.append(clock(inputs[len(times) % len(inputs)]))
    return times


def _goes_on(runs: int, spent: float, seconds: float) -> bool:
    least = FEWEST_RUNS if spent < PATIENCE * seconds else 1
    return runs < least or spent < seconds or (runs < LEAST_RUNS and spent < 2 * seconds)


def varied(prepare: Callable[[Table], Any], rows: Table, size: int, axes: Axes | None = None) -> list[Any]:
    """Returns batches of `size` rows, each of different rows, along each tensor's batch axis (the first by default)."""
    import numpy as np

    n = rows_of(rows, axes)
    count = VARIED if size <= 8 else 8
    return [prepare(take(rows, (i * size + np.arange(size)) % n, axes)) for i in range(count)]


def quantiles(times: Sequence[float], size: int) -> dict[str, float]:
    """Returns quantiles in milliseconds, and rows per second."""
    ordered = sorted(times)

    def at(q: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1e3, 6)

    return {
        "batch": size,
        "p50_ms": at(0.50),
        "p90_ms": at(0.90),
        "p95_ms": at(0.95),
        "p99_ms": at(0.99),
        "rows_per_second": round(size * len(times) / sum(times), 1),
        "runs": len(times),
    }


def single_threaded(model: Any) -> None:
    """Sets every `n_jobs` and `thread_count` inside the model to 1, so that both sides use one thread."""
    for part in _parts(model):
        for name in ("n_jobs", "thread_count"):
            if isinstance(getattr(part, "__dict__", {}).get(name), int):
                setattr(part, name, 1)


def _parts(model: Any) -> list[Any]:
    found: list[Any] = []
    todo = [model]
    seen: set[int] = set()
    while todo and len(seen) < 10000:
        part = todo.pop()
        if id(part) in seen or isinstance(part, (str, bytes, int, float)):
            continue
        seen.add(id(part))
        if isinstance(part, (list, tuple)):
            todo += part
        elif isinstance(part, dict):
            todo += part.values()
        elif hasattr(part, "get_params"):
            found.append(part)
            todo += vars(part).values()
    return found
