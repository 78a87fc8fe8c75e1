"""A variant's latency beside its parent's, on the same provider, in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack_toolkit.converters.spec import Table

from ..commands.bench import THREADS, measure_session, sizes
from ..equivalence.session import Session

__all__ = ["THREADS", "beside", "is_slower", "words"]
TURNS = 2
"""Each side is measured so many times, and its best median counts: a load on the machine rarely hits both turns."""


def beside(
    parent: Session, other: Session, rows: Table, seconds: float, batches: Sequence[int] = ()
) -> list[dict[str, float]]:
    """By batch size: both medians in milliseconds, and the parent's over the variant's."""
    batches = batches or sizes(parent.signature, rows)
    best: dict[Any, dict[int, float]] = {parent: {}, other: {}}
    for _ in range(TURNS):
        for session, found in best.items():
            for each in measure_session(session, rows, seconds / TURNS, batches):
                size = int(each["batch"])
                found[size] = min(each["p50_ms"], found.get(size, each["p50_ms"]))
    return [
        {
            "batch": size,
            "variant_p50_ms": best[other][size],
            "parent_p50_ms": ms,
            "speedup": round(ms / best[other][size], 2),
        }
        for size, ms in sorted(best[parent].items())
    ]


def is_slower(measured: Sequence[Mapping[str, float]], least: float) -> bool:
    """Whether the variant misses the least speed-up at every batch size."""
    return all(each["speedup"] < least for each in measured)


def words(measured: Sequence[Mapping[str, float]]) -> str:
    """The speed-ups in a sentence's part."""
    return ", ".join(f"{each['speedup']:g}x at batch {each['batch']:g}" for each in measured)
