"""The words of conversion steps: how one fitted object (a scaler, a forest, a pipeline) becomes nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder
from ..spec import Scalar

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
