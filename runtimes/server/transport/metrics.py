"""Counters in memory shared by all workers, and their Prometheus text.

The parent allocates the memory before it forks, so no file is needed. Each worker writes to its own part, without
locks; the worker that is scraped sums the parts.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator

ROUTES = ("v2", "predict", "invocations", "vertex", "v1", "grpc", "health", "metadata", "metrics", "page", "other")
STATUSES = (200, 307, 400, 404, 405, 408, 413, 415, 431, 499, 500, 503)
REASONS = ("invalid", "not_json", "too_large", "too_many_rows", "encoding", "overload", "memory", "time", "route")
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_STATUSES, _BUCKETS = len(STATUSES), len(BUCKETS) + 1
_STATUS_AT = {status: i for i, status in enumerate(STATUSES)}
_ROUTE_AT = {route: i for i, route in enumerate(ROUTES)}
_REASON_AT = {reason: i for i, reason in enumerate(REASONS)}
_SECONDS = len(ROUTES) * _STATUSES
_HISTOGRAM = _SECONDS + len(ROUTES)
_REFUSALS = _HISTOGRAM + len(ROUTES) * _BUCKETS
_ROWS = _REFUSALS + len(REASONS)
_IN_FLIGHT = _ROWS + 1
_STARTS = _IN_FLIGHT + 1
_SIZE = _STARTS + 1


class Board:
    """The counters of all workers. `slot`: this worker's part; its gRPC has one more."""

    def __init__(self, workers: int, memory: mmap.mmap | None = None, slot: int = 0) -> None:
        self.workers = workers
        self.slot = slot
        self.memory = memory or mmap.mmap(-1, 2 * workers * _SIZE * 8)
        self._all = memoryview(self.memory).cast("d")
        self._own = self._all[slot * _SIZE : (slot + 1) * _SIZE]

    def of_worker(self, slot: int) -> Board:
        """The same counters, for a new worker."""
        board = Board(self.workers, self.memory, slot)
        board._own[_IN_FLIGHT] = board.beside()._own[_IN_FLIGHT] = 0
        board._own[_STARTS] += 1
        return board

    def beside(self) -> Board:
        """The same counters, for threads of this worker other than its HTTP thread."""
        return Board(self.workers, self.memory, self.slot + self.workers)

    def enter(self) -> None:
        """Counts a request in work."""
        self._own[_IN_FLIGHT] += 1

    def leave(self, route: str, status: int, seconds: float, rows: int = 0) -> None:
        """Counts an answered request."""
        own, at = self._own, _ROUTE_AT[route]
        own[_IN_FLIGHT] -= 1
        own[at * _STATUSES + _STATUS_AT[status]] += 1
        own[_SECONDS + at] += seconds
        own[_HISTOGRAM + at * _BUCKETS + bisect_left(BUCKETS, seconds)] += 1
        if rows:
            own[_ROWS] += rows

    def refuse(self, reason: str) -> None:
        """Counts a refused request."""
        self._own[_REFUSALS + _REASON_AT[reason]] += 1

    def _sums(self) -> list[float]:
        parts = [self._all[i * _SIZE : (i + 1) * _SIZE].tolist() for i in range(2 * self.workers)]
        return [sum(values) for values in zip(*parts, strict=True)]

    def text(self, name: str, version: str, identity: str) -> bytes:
        """The counters in Prometheus' text format."""
        labels = f'name="{_escaped(name)}",version="{_escaped(version)}",identity="{identity}"'
        lines = [*_head("model_info", "gauge", "The served model."), f"mlpack_model_info{{{labels}}} 1"]
        lines += _lines(self._sums())
        return ("\n".join(lines) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _head(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP mlpack_{name} {words}", f"# TYPE mlpack_{name} {kind}"]


def _lines(sums: list[float]) -> Iterator[str]:
    yield from _head("requests_total", "counter", "Requests answered, by route and status.")
    for route, at in _ROUTE_AT.items():
        for status, i in _STATUS_AT.items():
            if count := sums[at * _STATUSES + i]:
                yield f'mlpack_requests_total{{route="{route}",status="{status}"}} {count:.0f}'
    yield from _head("request_seconds", "histogram", "Seconds from a request's start to its answer, by route.")
    for route, at in _ROUTE_AT.items():
        yield from _histogram(route, sums, at)
    yield from _head("refusals_total", "counter", "Refused requests, by reason.")
    for reason, i in _REASON_AT.items():
        yield f'mlpack_refusals_total{{reason="{reason}"}} {sums[_REFUSALS + i]:.0f}'
    yield from _head("rows_total", "counter", "Rows answered.")
    yield f"mlpack_rows_total {sums[_ROWS]:.0f}"
    yield from _head("requests_in_flight", "gauge", "Requests in work.")
    yield f"mlpack_requests_in_flight {sums[_IN_FLIGHT]:.0f}"
    yield from _head("worker_starts_total", "counter", "Workers started, including replacements of dead ones.")
    yield f"mlpack_worker_starts_total {sums[_STARTS]:.0f}"


def _histogram(route: str, sums: list[float], at: int) -> Iterator[str]:
    first = _HISTOGRAM + at * _BUCKETS
    counts = sums[first : first + _BUCKETS]
    if not any(counts):
        return
    total = 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
        total += count
        yield f'mlpack_request_seconds_bucket{{route="{route}",le="{bound}"}} {total:.0f}'
    yield f'mlpack_request_seconds_sum{{route="{route}"}} {sums[_SECONDS + at]!r}'
    yield f'mlpack_request_seconds_count{{route="{route}"}} {total:.0f}'
