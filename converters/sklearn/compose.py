"""Pipelines, column transformers and feature unions: the steps that hold others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder
from .._lookup import back_through, bounds_of, convert, moves_of, thresholds_of, transform, values_of
from .._steps.step import Answer, Step, Thresholds
from ..spec import Scalar
from ._records import names as record_names

Numbers = Callable[[Any, int], Thresholds]
"""`thresholds_of` or `bounds_of`."""


def pipeline(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The last step's answer on what the others made of the frame."""
    *before, last = _active(fitted)
    for each in before:
        frame = transform(each, frame, graph)
    return convert(last, frame, graph) if last is not None else Answer(transformed=frame)


def _pipeline_back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    steps = [s for s in _active(fitted) if s is not None]
    widths = _widths([*steps, None], _width_in(fitted))
    for each, width in zip(reversed(steps), reversed(widths[:-1])):
        thresholds = back_through(each, thresholds, width)
    return thresholds


def _active(fitted: Any) -> list[Any]:
    """The steps that do something when rows are answered: the samplers of imbalanced-learn work in the fit alone."""
    steps = [step for _, step in fitted.steps]
    kept = [s for s in steps[:-1] if s is not None and s != "passthrough" and not hasattr(s, "fit_resample")]
    last = steps[-1]
    return [*kept, None if last is None or last == "passthrough" else last]


def _widths(steps: Sequence[Any], width: int) -> list[int]:
    """Columns that go into each step."""
    widths = [width]
    for each, after in zip(steps, steps[1:]):
        widths.append(getattr(after, "n_features_in_", None) or _width_out(each, widths[-1]))
    return widths


def _width_out(fitted: Any, width: int) -> int:
    names = getattr(fitted, "get_feature_names_out", None)
    try:
        return len(names()) if names else width
    except (ValueError, AttributeError, TypeError):
        return width


def _through_pipeline(numbers: Numbers) -> Callable[[Any], Thresholds]:
    """What all steps say of their inputs, seen from the first one's."""

    def of_all(fitted: Any) -> Thresholds:
        steps = _active(fitted)
        widths = _widths(steps, _width_in(fitted))
        found = numbers(steps[-1], widths[-1])
        for each, width in zip(reversed(steps[:-1]), reversed(widths[:-1])):
            through = back_through(each, found, width)
            found = [a + b for a, b in zip(through, numbers(each, width))]
        return found

    return of_all


def _pipeline_values(fitted: Any) -> list[list[Scalar] | None]:
    width = _width_in(fitted)
    found: list[list[Scalar] | None] = [None] * width
    places: list[int | None] = list(range(width))
    for each, inside in zip(_active(fitted), _widths(_active(fitted), width)):
        if inside != len(places):
            break
        for place, values in zip(places, values_of(each, inside)):
            if place is not None:
                found[place] = _both(found[place], values)
        places = [None if i is None else places[i] for i in moves_of(each, inside)]
    return found


def _both(first: list[Scalar] | None, second: list[Scalar] | None) -> list[Scalar] | None:
    return [*(first or []), *(second or [])] or None


def _width_in(fitted: Any) -> int:
    return int(getattr(fitted, "n_features_in_", len(record_names(fitted)) or 1))


def column_transformer(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Each transformer's columns side by side, in the transformer's order."""
    parts: list[Frame] = []
    for transformer, positions in _branches(fitted):
        chosen = graph.select(frame, positions)
        parts.append(chosen if transformer is None else transform(transformer, chosen, graph))
    return Answer(transformed=tuple(value for part in parts for value in part))


def _branches(fitted: Any) -> Iterator[tuple[Any, list[int]]]:
    """Each fitted transformer (None: passthrough) and the positions of its input columns."""
    for name, transformer, _ in fitted.transformers_:
        positions = list(_positions(fitted, name))
        if (isinstance(transformer, str) and transformer == "drop") or not positions:
            continue
        passes = isinstance(transformer, str) or (
            type(transformer).__name__ == "FunctionTransformer" and (transformer.func is None)
        )
        yield (None if passes else transformer), positions


def _positions(fitted: Any, name: str) -> Sequence[int]:
    chosen = fitted._transformer_to_input_indices[name]
    return [int(i) for i in chosen]


def _over_columns(numbers: Numbers) -> Callable[[Any], Thresholds]:
    """What all transformers say of their columns."""

    def of_all(fitted: Any) -> Thresholds:
        found: Thresholds = [[] for _ in range(_width_in(fitted))]
        for transformer, positions in _branches(fitted):
            if transformer is not None:
                for position, own in zip(positions, numbers(transformer, len(positions))):
                    found[position] += own
        return found

    return of_all


def _column_transformer_back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    found: Thresholds = [[] for _ in range(_width_in(fitted))]
    start = 0
    for transformer, positions in _branches(fitted):
        width = len(positions) if transformer is None else _width_out(transformer, len(positions))
        part = thresholds[start : start + width]
        start += width
        through = part if transformer is None else back_through(transformer, part, len(positions))
        for position, values in zip(positions, through):
            found[position] += values
    return found


def _column_transformer_values(fitted: Any) -> list[list[Scalar] | None]:
    found: list[list[Scalar] | None] = [None] * _width_in(fitted)
    for transformer, positions in _branches(fitted):
        if transformer is not None:
            for position, values in zip(positions, values_of(transformer, len(positions))):
                found[position] = _both(found[position], values)
    return found


def feature_union(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Every transformer's answer on the whole frame, side by side."""
    weights = fitted.transformer_weights or {}
    parts: list[Frame] = []
    for name, transformer in fitted.transformer_list:
        if transformer == "drop":
            continue
        part = frame if transformer == "passthrough" else transform(transformer, frame, graph)
        parts.append(_weighted(part, weights.get(name), graph))
    whole = tuple(value for part in parts for value in part)
    if any(value.held is not None for value in whole):  # then the original makes one sparse matrix of all
        whole = tuple(replace(value, held=value.held or "") for value in whole)
    return Answer(transformed=whole)


def _union_bounds(fitted: Any) -> Thresholds:
    width = _width_in(fitted)
    found = [bounds_of(each, width) for _, each in fitted.transformer_list if not isinstance(each, str)]
    return [[number for own in found for number in own[i]] for i in range(width)]


def _weighted(frame: Frame, weight: float | None, graph: GraphBuilder) -> Frame:
    if weight is None:
        return frame
    value = graph.matrix(frame)
    # a row, not a number: ONNX Runtime fuses a number into the MatMul beside it, and keeps it in float32
    scaled = graph.op("Mul", value.name, graph.const([[float(weight)] * value.width]))
    return (replace(value, name=scaled, column="", cells=None),)


STEPS = {
    "Pipeline": Step(
        pipeline,
        thresholds=_through_pipeline(thresholds_of),
        back=_pipeline_back,
        values=_pipeline_values,
        bounds=_through_pipeline(bounds_of),
    ),
    "ColumnTransformer": Step(
        column_transformer,
        thresholds=_over_columns(thresholds_of),
        back=_column_transformer_back,
        values=_column_transformer_values,
        bounds=_over_columns(bounds_of),
        sparse=lambda fitted, given: bool(fitted.sparse_output_),
    ),
    "FeatureUnion": Step(feature_union, bounds=_union_bounds),
}
