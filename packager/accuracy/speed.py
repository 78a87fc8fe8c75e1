"""A variant's latency beside its parent's, in turns and in shuffled order: whoever comes first finds colder caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from mlpack_toolkit.converters.latency import varied
from mlpack_toolkit.converters.spec import Table

from ..commands.bench import THREADS, sizes
from ..deadline import timed
from ..equivalence.session import Session

__all__ = ["THREADS", "beside", "is_slower", "words"]
LEAST = 5
MOST = 400
SHOWN = 4
"""Digits of a time that are worth writing down."""
Beside = dict[str, float]


def beside(
    parent: Session, other: Session, rows: Table, seconds: float, batches: Sequence[int] = ()
) -> tuple[Beside, ...]:
    """By batch size: both medians in milliseconds, and the parent's over the variant's; `seconds` for each size."""
    return tuple(_one(parent, other, rows, seconds, size) for size in batches or sizes(parent.signature, rows))


def _one(parent: Session, other: Session, rows: Table, seconds: float, size: int) -> Beside:
    inputs = varied(parent.feeds, rows, size, parent.signature.batch_axes)
    sides: list[tuple[Session, list[float]]] = [(parent, []), (other, [])]
    order, turn = Random(0), 0
    with timed() as restart:
        for session, _ in sides:
            restart()
            session.run_feeds(inputs[0])
        begun = perf_counter()
        while turn < LEAST or (turn < MOST and perf_counter() - begun < seconds):
            order.shuffle(sides)
            for session, times in sides:
                restart()
                times.append(_clock(session, inputs[turn % len(inputs)]))
            turn += 1
    found = {id(session): median(times) * 1e3 for session, times in sides}
    before, after = found[id(parent)], found[id(other)]
    shown = {"parent_p50_ms": before, "variant_p50_ms": after, "speedup": before / after}
    return {"batch": size, **{key: float(f"{value:.{SHOWN}g}") for key, value in shown.items()}}


def _clock(session: Session, feeds: dict[str, Any]) -> float:
    start = perf_counter()
    session.run_feeds(feeds)
    return perf_counter() - start


def is_slower(measured: Sequence[Mapping[str, float]], least: float) -> bool:
    """Whether the variant misses the least speed-up at every batch size."""
    return all(each["speedup"] < least for each in measured)


def words(measured: Sequence[Mapping[str, float]]) -> str:
    """The speed-ups in a sentence's part."""
    return ", ".join(f"{each['speedup']:.3g}x at batch {each['batch']:g}" for each in measured)
