"""Steps: how one fitted object (a scaler, a forest, a pipeline) becomes nodes, and where its answer jumps.

A framework's file offers steps for its classes through `Export.step`; `_lookup.py` finds the step of any object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder
from ..spec import Scalar

Thresholds = list[list[float]]
"""Per column, the values at which the answer jumps."""


@dataclass(frozen=True)
class Answer:
    """What a step gives: names of values in the graph.

    `transformed`: a transformer's frame. `index`: a classifier's `int64 [N]`, the position in `classes_`;
    `label`: `int64 [N]` where there are no `classes_` (clusterers, outlier detectors), `[N, T]` in the type of the
    classes where there are several targets. `probabilities`: `real [N, C]`; `several`: one such matrix per target;
    `decision`: `real [N]` or `[N, C]`, what `decision_function` gives. `prediction`: `real [N]` or `[N, T]`.
    `density`: `real [N]`, what `score_samples` gives where there is nothing else.
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
    """How one class converts, and what is worth probing.

    `convert(fitted, frame, graph)`. `thresholds(fitted)`: per input column. `back(fitted, thresholds)`: thresholds on
    the output columns, as thresholds on the input columns (empty lists where there is no way back).
    `bounds(fitted)`: per input column, numbers at which it may begin to refuse. `moves(fitted)`: per output column the
    position of the input column that it is, unchanged, or None where it is another; None: each stays in its place.
    `values(fitted)`: per input column the values that the step knows (categories), None for a column of numbers.
    `sparse(fitted, given)`: whether a transformer gives a sparse matrix, where `given` says whether it takes one; a
    cell of 0 is none of its cells then. None: `convert` itself marks what it gives.
    """

    convert: Callable[[Any, Frame, GraphBuilder], Answer]
    thresholds: Callable[[Any], Thresholds] | None = None
    back: Callable[[Any, Thresholds], Thresholds] | None = None
    values: Callable[[Any], Sequence[Sequence[Scalar] | None]] | None = None
    bounds: Callable[[Any], Thresholds] | None = None
    moves: Callable[[Any], Sequence[int | None] | None] | None = None
    sparse: Callable[[Any, bool], bool] | None = None


def as_given(fitted: Any, given: bool) -> bool:
    """The rule of a transformer that keeps the cells of a sparse matrix in their places (`Step.sparse`)."""
    return given


def always(fitted: Any, given: bool) -> bool:
    """The rule of a transformer whose answer is always sparse (`Step.sparse`)."""
    return True
