"""The curve of throughput against latency: batch sizes by doubling, up to the largest that fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlpack_toolkit.converters.latency import measure, quantiles, times_of
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.converters.table import rows_of, take
from mlpack_toolkit.runtimes.engine.bound import HOST, Bound

from ..deadline import timed
from ..environments.nvidia import free_memory
from ..equivalence.session import Session
from ..errors import MismatchError

FIRST = (1, 8, 32)
MOST_ROWS = 1 << 14
LONGEST = 2.0
"""Seconds that one run may take."""
SHARE = 4
"""A batch size above those of `FIRST` gets this part of the time."""
COPIES = 2
NEAR = 8
"""The search ends where the next size is nearer to the last one than a part of it."""
Point = Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """`points`: by batch size. `ended`: why there is no larger batch."""

    points: tuple[Point, ...]
    ended: str = ""
    limit_ms: float | None = None

    @property
    def largest(self) -> int:
        """The rows of the largest batch that was measured."""
        return int(max(each["batch"] for each in self.points))

    def best(self) -> Point | None:
        """The point with the most rows per second of those whose p99 is within the limit; None: none is."""
        within = [p for p in self.points if self.limit_ms is None or p["p99_ms"] <= self.limit_ms]
        return max(within, key=lambda p: p["rows_per_second"], default=None)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this curve."""
        best = self.best()
        return {
            "points": [dict(each) for each in self.points],
            "largest": {"batch": self.largest, "why_not_larger": self.ended},
            "limit_ms": self.limit_ms,
            "best": dict(best) if best else None,
        }


@dataclass
class _Search:
    """The next batch size: twice the last one, and between two once one did not fit."""

    low: int
    high: int | None = None
    ended: str = ""
    found: list[Point] = field(default_factory=list)

    def sizes(self, most: int) -> Iterator[int]:
        """The sizes to try; `ended` and `high` are the caller's answers."""
        while not self.ended:
            size = min(self.low * 2, most) if self.high is None else (self.low + self.high) // 2
            if size <= self.low or (self.high is not None and size - self.low < self.low // NEAR):
                self.ended = self.ended or ("no more memory" if self.high else f"the most that is tried: {most} rows")
                return
            yield size


def curve_of(
    session: Session,
    rows: Table,
    first: Sequence[Point],
    seconds: float,
    limit_ms: float | None = None,
    most_rows: int = 0,
) -> Curve:
    """The curve. `first`: the points of small batches, which are measured already; `seconds`: for each batch size.

    `most_rows`: of a batch; 0: `MOST_ROWS`.
    """
    with_first = with_bound(session, rows, seconds / SHARE, first)
    if not session.signature.has_rows:
        return Curve(with_first, "the signature has no rows", limit_ms)
    sizes = session.signature.batch_sizes
    most = min(most_rows or MOST_ROWS, MOST_ROWS, sizes.largest)
    last = max(first, key=lambda each: each["batch"])
    search, memory = _Search(int(last["batch"])), _Memory(session.memory)
    p50 = last["p50_ms"]
    for size in search.sizes(most):
        if p50 * size / search.low > LONGEST * 1e3:
            search.ended = f"a run of {size} rows would take more than {LONGEST:g} s"
        elif size not in sizes:
            search.ended = f"the signature takes no batch of {size} rows"
        elif not memory.has_room(search.low, size):
            search.high = size
        else:
            p50 = _tried(session, rows, size, seconds / SHARE, search) or p50
    return Curve((*with_first, *search.found), search.ended, limit_ms)


def _tried(session: Session, rows: Table, size: int, seconds: float, search: _Search) -> float:
    """The median of a batch size, noted in the search; 0 where it did not fit."""
    try:
        point = _large(session, rows, size, seconds)
    except (MismatchError, MemoryError) as error:
        said = str(error)
        if isinstance(error, MemoryError) or "alloc" in said or "memory" in said:
            search.high = size
        else:
            search.ended = said.splitlines()[0][:200]
        return 0.0
    search.low = size
    search.found.append(point)
    return point["p50_ms"]


def _large(session: Session, rows: Table, size: int, seconds: float) -> Point:
    axes = session.signature.batch_axes
    count = rows_of(rows, axes)
    feeds = [session.feeds(take(rows, (i + np.arange(size)) % count, axes)) for i in range(COPIES)]
    with timed() as restart:
        point: Point = quantiles(times_of(_restarted(session.run_feeds, restart), feeds, seconds), size)
    table = take(rows, np.arange(size) % count, axes)
    return {**point, **_bound_times(session, [session.bind(table)], seconds)} if session.binds else point


def _restarted(run: Callable[[Any], object], restart: Callable[[], None]) -> Callable[[Any], object]:
    def again(given: Any) -> object:
        restart()
        return run(given)

    return again


def with_bound(session: Session, rows: Table, seconds: float, measured: Sequence[Point]) -> tuple[Point, ...]:
    """The same numbers with `bound_p50_ms` and `bound_p99_ms` too: where the tensors stay bound in the provider's
    memory and no call hands them over. Where that is a device's, also the medians of the copies there and back."""
    if not session.binds:
        return tuple(measured)
    axes, made = session.signature.batch_axes, []
    for one in measured:
        size = int(one["batch"])
        kept: list[Bound] = []
        with timed() as restart:

            def run(bound: Bound, restart: Callable[[], None] = restart) -> None:
                restart()
                bound.run()

            def prepare(table: Table, kept: list[Bound] = kept) -> Bound:
                kept.append(session.bind(table))
                return kept[-1]

            (found,) = measure(run, prepare, rows, (size,), seconds, axes=axes)
        made.append({**one, **_named(found), **_copies(session, kept, seconds)})
    return tuple(made)


def _bound_times(session: Session, kept: list[Bound], seconds: float) -> Point:
    with timed() as restart:
        found = quantiles(times_of(_restarted(lambda bound: bound.run(), restart), kept, seconds), 1)
    return {**_named(found), **_copies(session, kept, seconds)}


def _named(found: Point) -> Point:
    return {"bound_p50_ms": found["p50_ms"], "bound_p99_ms": found["p99_ms"]}


def _copies(session: Session, kept: list[Bound], seconds: float) -> Point:
    """The medians of the copies to a device and back; none where the tensors are in the processor's memory."""
    if session.memory == HOST:
        return {}
    return copy_times(kept, seconds)


def copy_times(kept: list[Bound], seconds: float) -> Point:
    """The medians of the copies of bound tensors to their memory and back, in milliseconds."""
    for bound in (ran := kept[:COPIES]):
        bound.run()
    there = quantiles(times_of(lambda bound: bound.put(), ran, seconds / 2), 1)
    back = quantiles(times_of(lambda bound: bound.answers(), ran, seconds / 2), 1)
    return {"copy_there_p50_ms": there["p50_ms"], "copy_back_p50_ms": back["p50_ms"]}


class _Memory:
    """Whether a larger batch has room, by what the last one took; of a GPU as its driver says, else of the machine."""

    def __init__(self, memory: str) -> None:
        self._of_device = memory != HOST
        self._free = self._left()

    def has_room(self, low: int, size: int) -> bool:
        """Whether twice the memory that `low` rows took, at their size, is still left."""
        left = self._left()
        if left is None or self._free is None:
            return True
        taken = max(0, self._free - left)
        return 2 * taken * max(1.0, size / low - 1) <= left

    def _left(self) -> int | None:
        return free_memory() if self._of_device else _available()


def _available() -> int | None:
    """The bytes that Linux says can still be taken."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable")), "")
    return int(found) << 10 if found else None
