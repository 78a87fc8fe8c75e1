"""One-versus-one classifiers, one per pair of classes, in the order (0, 1), (0, 2), …, (1, 2), …"""

from __future__ import annotations

from .._graph.builder import GraphBuilder


def pairs(count: int) -> list[tuple[int, int]]:
    """Returns all pairs of `count` classes."""
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


def votes(graph: GraphBuilder, first: str, second: str, count: int) -> str:
    """Counts the pairs that each class wins, `[N, C]`, from flags `[N, P]`: the first, the second of a pair wins."""
    import numpy as np

    each = pairs(count)
    found = []
    for flag, side in ((first, 0), (second, 1)):
        won = np.zeros((len(each), count))
        won[np.arange(len(each)), [pair[side] for pair in each]] = 1.0
        found.append(graph.op("MatMul", graph.op("Cast", flag, to=_DOUBLE), graph.const(won)))
    return graph.op("Add", *found)


def most_votes(graph: GraphBuilder, counted: str) -> str:
    """Returns the class with most votes, the first among equals, `int64 [N]`."""
    return graph.op("ArgMax", counted, axis=1, keepdims=0)


_DOUBLE = 11
