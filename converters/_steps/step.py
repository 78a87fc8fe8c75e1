"""Conversion steps: how one fitted object (a scaler, a forest, a pipeline) becomes nodes, and where its output jumps.

A framework's file provides steps for its classes through `Converter.step`; a step with nested objects (a pipeline, a
voting classifier) looks theirs up here, so no framework's file imports another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder
from ..spec import Scalar, Unsupported

Thresholds = list[list[float]]
"""Per column, the values at which the output jumps."""


@dataclass(frozen=True)
class Answer:
    """A step's outputs: names of values in the graph.

    `transformed`: a transformer's frame. `index`: a classifier's `int64 [N]`, the position in `classes_`;
    `label`: `int64 [N]` where there are no `classes_` (clusterers, outlier detectors), `[N, T]` in the type of the
    classes where there are several targets. `probabilities`: `real [N, C]`; `several`: one such matrix per target;
    `decision`: `real [N]` or `[N, C]`, the result of `decision_function`. `prediction`: `real [N]` or `[N, T]`.
    `density`: `real [N]`, the result of `score_samples` where there is no other output.
    """

    transformed: Frame | None = None
    index: str | None = None
    label: str | None = None
    probabilities: str | None = None
    several: tuple[str, ...] = ()
    decision: str | None = None
    prediction: str | None = None
    density: str | None = None


@dataclass(frozen=True)
class Step:
    """How one class is converted, and which inputs are worth probing.

    `convert(fitted, frame, graph)`. `thresholds(fitted)`: per input column. `back(fitted, thresholds)`: maps thresholds
    on the output columns to thresholds on the input columns (empty lists where this is impossible). `bounds(fitted)`:
    per input column, numbers beyond which it may refuse input. `moves(fitted)`: per output column the position of the
    input column that it equals unchanged, or None where there is none; None: all columns keep their place.
    `values(fitted)`: per input column the values that the step knows (categories), None for a column of numbers.
    `sparse(fitted, given)`: whether a transformer returns a sparse matrix, where `given` says whether it receives one;
    a cell of 0 is then not stored. None: `convert` itself marks its result.
    """

    convert: Callable[[Any, Frame, GraphBuilder], Answer]
    thresholds: Callable[[Any], Thresholds] | None = None
    back: Callable[[Any, Thresholds], Thresholds] | None = None
    values: Callable[[Any], Sequence[Sequence[Scalar] | None]] | None = None
    bounds: Callable[[Any], Thresholds] | None = None
    moves: Callable[[Any], Sequence[int | None] | None] | None = None
    sparse: Callable[[Any, bool], bool] | None = None


def as_given(fitted: Any, given: bool) -> bool:
    """Rule of a transformer that keeps the cells of a sparse matrix in place (`Step.sparse`)."""
    return given


def always(fitted: Any, given: bool) -> bool:
    """Rule of a transformer whose output is always sparse (`Step.sparse`)."""
    return True


def step_of(fitted: Any) -> Step:
    """Returns the author's own step, else the exact class's: a subclass may compute anything, so inherits none."""
    from .. import for_object
    from .user_defined import advice, step

    own = step(fitted)
    if own is not None:
        return own
    converter = for_object(fitted)
    found = converter.step(fitted) if converter is not None and converter.step is not None else None
    if found is None:
        kind = f"{type(fitted).__module__}.{type(fitted).__qualname__}"
        raise Unsupported(f"there is no converter for {kind}" + ("" if converter else f": {advice(kind)}"))
    return found


def convert(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Adds the nodes of `fitted` on `frame`, and returns its outputs."""
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
    """Marks the single block of a step that changes the cells of its matrix but not their places."""
    before = graph.matrix(frame)
    keeps = len(marked) == 1 and marked[0].width == before.width and not marked[0].held
    return (replace(marked[0], held=before.held),) if keeps else marked


def transform(fitted: Any, frame: Frame, graph: GraphBuilder) -> Frame:
    """Returns a transformer's output frame; raises `Unsupported` where `fitted` is not a transformer."""
    answer = convert(fitted, frame, graph)
    if answer.transformed is None:
        raise Unsupported(f"{type(fitted).__name__} is not a transformer, but is used as one")
    return answer.transformed


def thresholds_of(fitted: Any, width: int) -> Thresholds:
    """Returns, per input column, where the output jumps; empty lists where the step does not define it."""
    return _numbers(fitted, width, lambda step: step.thresholds)


def bounds_of(fitted: Any, width: int) -> Thresholds:
    """Returns, per input column, where the step may begin to refuse numbers; empty lists where undefined."""
    return _numbers(fitted, width, lambda step: step.bounds)


def _numbers(fitted: Any, width: int, hook: Callable[[Step], Callable[[Any], Thresholds] | None]) -> Thresholds:
    try:
        method = hook(step_of(fitted))
    except Unsupported:
        return [[] for _ in range(width)]
    found = method(fitted) if method else []
    return [list(f) for f in found] if len(found) == width else [[] for _ in range(width)]


def back_through(fitted: Any, thresholds: Thresholds, width: int) -> Thresholds:
    """Maps thresholds on the outputs of `fitted` back to its `width` inputs."""
    try:
        step = step_of(fitted)
    except Unsupported:
        return [[] for _ in range(width)]
    found = step.back(fitted, thresholds) if step.back else []
    return [list(f) for f in found] if len(found) == width else [[] for _ in range(width)]


def values_of(fitted: Any, width: int) -> list[list[Scalar] | None]:
    """Returns, per input column, the values that the step knows; None for numbers."""
    try:
        step = step_of(fitted)
    except Unsupported:
        return [None] * width
    found = step.values(fitted) if step.values else []
    return [None if v is None else list(v) for v in found] if len(found) == width else [None] * width


def moves_of(fitted: Any, width: int) -> list[int | None]:
    """Returns, per output column, the input column that it equals; its own position where undefined."""
    try:
        step = step_of(fitted)
    except Unsupported:
        return list(range(width))
    found = step.moves(fitted) if step.moves else None
    return list(range(width)) if found is None else list(found)
