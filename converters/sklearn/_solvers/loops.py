"""Loops in a graph, for solvers that end when their rows have converged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ..._graph.builder import GraphBuilder, _value_info
from ...spec import Dim
from .. import _scores as scores


@dataclass(frozen=True)
class State:
    """A loop state: its name before the first pass, its type and its shape (`"N"`: the batch)."""

    start: str
    dtype: str
    shape: tuple[Dim, ...]


Pass = Callable[[GraphBuilder, str, list[str]], tuple[str, list[str]]]
"""Maps a builder, the number of the pass (`int64 []`) and the states to whether to go on (empty: always) and the new
states. The nodes may read any value of the graph around the loop."""


def loop(graph: GraphBuilder, limit: int, states: Sequence[State], one: Pass) -> tuple[str, ...]:
    """Returns the states after at most `limit` passes."""
    from onnx import helper

    body = GraphBuilder(graph.real)
    body._taken = graph._taken
    count, going = graph.fresh("pass"), graph.fresh("going")
    names = [graph.fresh("state") for _ in states]
    goes_on, ends = one(body, count, names)
    # a body's output must be a node's output, not a constant or an input
    goes_on = body.op("Identity", goes_on or going)
    ends = [body.op("Identity", end) for end in ends]
    kinds = [("bool", ()), *((s.dtype, s.shape) for s in states)]
    inputs = [_value_info(n, k, s) for n, (k, s) in zip([count, going, *names], [("int64", ()), *kinds])]
    outputs = [_value_info(n, k, s) for n, (k, s) in zip([goes_on, *ends], kinds)]
    inner = helper.make_graph(body._nodes, graph.fresh("body"), inputs, outputs, body.tensors())
    start = [graph.const(limit, "int64"), graph.const(True), *(s.start for s in states)]
    return graph.ops("Loop", start, len(states), body=inner)


def any_of(graph: GraphBuilder, flags: str) -> str:
    """Returns whether any flag is set, `bool []`; False for no flags."""
    return graph.op("Greater", graph.op("ReduceSum", scores.as_real(graph, flags), keepdims=0), graph.const(0.0))


def filled(graph: GraphBuilder, like: str, width: int, value: float) -> str:
    """Returns `[N, width]` of one number, with as many rows as `like`."""
    return graph.op("Expand", graph.const(float(value)), shape_like(graph, like, width))


def shape_like(graph: GraphBuilder, like: str, *rest: int) -> str:
    """Returns the shape `[N, *rest]`, with as many rows as `like`."""
    rows = graph.op("Shape", like, start=0, end=1)
    return graph.op("Concat", rows, graph.const(list(rest), "int64"), axis=0)
