"""The step of any object, and what it gives: a step that holds others (a pipeline, a voting classifier) asks here.

So no framework's file imports another's, and an author's own step comes before a framework's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

from ._graph.builder import Frame, GraphBuilder
from ._steps.step import Answer, Step, Thresholds, always, as_given
from ._steps.user_defined import advice, step
from .spec import Scalar, Unsupported


def step_of(fitted: Any) -> Step:
    """The author's own step, else the exact class's: a subclass may compute anything, so it does not inherit one."""
    from . import for_object

    own = step(fitted)
    if own is not None:
        return own
    converter = for_object(fitted)
    own_step = converter.export.step if converter is not None else None
    found = own_step(fitted) if own_step is not None else None
    if found is None:
        kind = f"{type(fitted).__module__}.{type(fitted).__qualname__}"
        raise Unsupported(f"there is no converter for {kind}" + ("" if converter else f": {advice(kind)}"))
    return found


def convert(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The answer of `fitted` on `frame`, as nodes added to `graph`."""
    step = step_of(fitted)
    answer = step.convert(fitted, frame, graph)
    if answer.transformed is None or step.sparse is None:
        return answer
    sparse = step.sparse(fitted, any(value.held is not None for value in frame))
    marked = tuple(replace(v, held=(v.held or "") if sparse else None) for v in answer.transformed)
    if sparse and step.sparse in (as_given, always) and any(value.held for value in frame):
        marked = _held_as_before(marked, frame, graph)
    return replace(answer, transformed=marked)


def _held_as_before(marked: Frame, frame: Frame, graph: GraphBuilder) -> Frame:
    """The one block of a step that changes the cells of its matrix, and none of their places."""
    before = graph.matrix(frame)
    keeps = len(marked) == 1 and marked[0].width == before.width and not marked[0].held
    return (replace(marked[0], held=before.held),) if keeps else marked


def transform(fitted: Any, frame: Frame, graph: GraphBuilder) -> Frame:
    """The frame that a transformer gives; `Unsupported` where `fitted` is none."""
    answer = convert(fitted, frame, graph)
    if answer.transformed is None:
        raise Unsupported(f"{type(fitted).__name__} stands where a transformer is needed")
    return answer.transformed


def thresholds_of(fitted: Any, width: int) -> Thresholds:
    """Per input column, where the answer jumps; empty lists where the step does not say."""
    return _numbers(fitted, width, lambda step: step.thresholds)


def bounds_of(fitted: Any, width: int) -> Thresholds:
    """Per input column, where the step may begin to refuse numbers; empty lists where it does not say."""
    return _numbers(fitted, width, lambda step: step.bounds)


def _numbers(fitted: Any, width: int, hook: Callable[[Step], Callable[[Any], Thresholds] | None]) -> Thresholds:
    try:
        asked = hook(step_of(fitted))
    except Unsupported:
        return [[] for _ in range(width)]
    found = asked(fitted) if asked else []
    return [list(f) for f in found] if len(found) == width else [[] for _ in range(width)]


def back_through(fitted: Any, thresholds: Thresholds, width: int) -> Thresholds:
    """Thresholds on the outputs of `fitted`, seen from its `width` inputs."""
    try:
        step = step_of(fitted)
    except Unsupported:
        return [[] for _ in range(width)]
    found = step.back(fitted, thresholds) if step.back else []
    return [list(f) for f in found] if len(found) == width else [[] for _ in range(width)]


def values_of(fitted: Any, width: int) -> list[list[Scalar] | None]:
    """Per input column, the values that the step knows; None for numbers."""
    try:
        step = step_of(fitted)
    except Unsupported:
        return [None] * width
    found = step.values(fitted) if step.values else []
    return [None if v is None else list(v) for v in found] if len(found) == width else [None] * width


def moves_of(fitted: Any, width: int) -> list[int | None]:
    """Per output column, the input column that it is; each in its place where the step does not say."""
    try:
        step = step_of(fitted)
    except Unsupported:
        return list(range(width))
    found = step.moves(fitted) if step.moves else None
    return list(range(width)) if found is None else list(found)
