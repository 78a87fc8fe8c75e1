"""Helpers of several families of transformers: a single block as the output, thresholds in the graph's own type."""

from __future__ import annotations

from typing import Any

from .._graph.builder import GraphBuilder, Value
from .._steps.step import Answer


def block(name: str, width: int, graph: GraphBuilder) -> Answer:
    """Returns the output of a transformer with one numeric matrix `[N, width]`."""
    return Answer(transformed=(Value(name, graph.real, width),))


def at_least(limits: Any, graph: GraphBuilder) -> str:
    """Returns constants `t` for tests `x >= t`: in float32 rounded up, so that float32 `x` compares as in double."""
    return graph.const(_rounded(limits, graph.real, up=True), graph.real)


def at_most(limits: Any, graph: GraphBuilder) -> str:
    """Returns constants `t` for tests `x <= t` and `x > t`: in float32 rounded down."""
    return graph.const(_rounded(limits, graph.real, up=False), graph.real)


def _rounded(limits: Any, real: str, up: bool) -> Any:
    import numpy as np

    exact = np.asarray(limits, np.float64)
    if real == "float64":
        return exact
    near = exact.astype(np.float32)
    past = near < exact if up else near > exact
    beyond = np.float32(np.inf if up else -np.inf)
    return np.where(past, np.nextafter(near, beyond), near)
