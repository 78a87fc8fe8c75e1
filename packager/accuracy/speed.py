"""A variant's latency beside its parent's: on the same provider, run by run in turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any

from mlpack_toolkit.converters.latency import FEWEST_RUNS, varied
from mlpack_toolkit.converters.spec import Table

from ..commands.bench import sizes
from ..deadline import timed
from ..equivalence.session import Session

MOST_RUNS = 1000


def beside(
    parent: Session, other: Session, rows: Table, seconds: float, batches: Sequence[int] = ()
) -> list[dict[str, float]]:
    """By batch size: both medians in milliseconds, and the parent's over the variant's.

    The two take turns at every run, so that other programs on the machine slow both down alike. `seconds`: of the two
    together, for each batch size.
    """
    return [_at(parent, other, rows, seconds, size) for size in batches or sizes(parent.signature, rows)]


def _at(parent: Session, other: Session, rows: Table, seconds: float, size: int) -> dict[str, float]:
    axes = parent.signature.batch_axes
    sides = [(session, varied(session.feeds, rows, size, axes)) for session in (parent, other)]
    times: tuple[list[float], list[float]] = ([], [])
    with timed() as restart:

        def turn(side: int, i: int) -> float:
            session, inputs = sides[side]
            restart()
            start = perf_counter()
            session.run_feeds(inputs[i % len(inputs)])
            return perf_counter() - start

        for i, order in enumerate(_rounds(turn, seconds)):
            for side in order:
                times[side].append(turn(side, i))
    first, second = (median(found) * 1e3 for found in times)
    speedup = round(first / second, 2)
    return {"batch": size, "parent_p50_ms": first, "variant_p50_ms": second, "speedup": speedup}


def _rounds(turn: Any, seconds: float) -> Iterator[tuple[int, int]]:
    """Which side goes first in each round, after one that warms both up: a few rounds at least, until time is up."""
    turn(0, 0), turn(1, 0)
    end = perf_counter() + seconds
    for i in range(MOST_RUNS):
        if i >= FEWEST_RUNS and perf_counter() > end:
            return
        yield (0, 1) if i % 2 == 0 else (1, 0)


def is_slower(measured: Sequence[Mapping[str, float]], least: float) -> bool:
    """Whether the variant misses the least speed-up at every batch size."""
    return all(each["speedup"] < least for each in measured)


def words(measured: Sequence[Mapping[str, float]]) -> str:
    """The speed-ups in a sentence's part."""
    return ", ".join(f"{each['speedup']:g}x at batch {each['batch']:g}" for each in measured)
