"""The order of a run: each worker begins with its share of the files that hold long tests.

A worker of pytest-xdist starts with an equal part of the list and takes from another one's end when it has no more: at
the end of a run that are then short tests, and no folder or server of a long file is made in both.
"""

from __future__ import annotations

from collections import defaultdict

import pytest


def long_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests; files stay whole, and keep their order within a worker's part."""
    files: dict[object, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    weights = [0] * workers
    short = []
    for file in files.values():
        weight = sum(item.get_closest_marker("slow") is not None for item in file)
        if weight:
            lightest = weights.index(min(weights))
            parts[lightest] += file
            weights[lightest] += weight
        else:
            short += file
    return _filled(parts, short)


def _filled(parts: list[list[pytest.Item]], short: list[pytest.Item]) -> list[pytest.Item]:
    """The parts one after the other, made equally long with the short tests."""
    each = (sum(map(len, parts)) + len(short)) // len(parts)
    found = []
    for part in parts:
        more = max(0, each - len(part))
        found += part + short[:more]
        short = short[more:]
    return found + short
