"""Imputers of missing cells, for numbers and text, and the missing indicators."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step
from ..spec import Unsupported
from ._categories import is_missing


def simple(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the frame filled, without the columns that were empty in the fit; then the indicators."""
    blocks = _merged(frame, fitted._fit_dtype.kind == "f", graph)
    masks = tuple(_missing(value, fitted.missing_values, graph) for value in blocks)
    filled: list[Value] = []
    start = 0
    for value, mask in zip(blocks, masks):
        fills = list(fitted.statistics_[start : start + value.width])
        start += value.width
        filled += _filled(value, mask, fills, bool(getattr(fitted, "keep_empty_features", False)), graph)
    if fitted.add_indicator:
        filled += _indicators(fitted.indicator_, blocks, masks, graph)
    if not filled:
        raise Unsupported("the SimpleImputer drops every column: all were empty in the fit")
    return Answer(transformed=tuple(filled))


def _merged(frame: Frame, as_floats: bool, graph: GraphBuilder) -> Frame:
    """Merges adjacent numeric columns into one block; integers stay separate where the cast would cost digits."""

    def kind(value: Value) -> str:
        whole = as_floats and graph.real == "float64" and value.dtype != "string"
        floats = value.dtype in ("float32", "float64") and not value.none
        return "real" if floats or whole else f"alone {value.name}"

    groups = [(k, tuple(values)) for k, values in groupby(frame, kind)]
    return tuple(graph.matrix(g) if k == "real" else g[0] for k, g in groups)


def _missing(value: Value, marker: Any, graph: GraphBuilder) -> Value | None:
    """Returns the mask of missing cells, `bool [N, width]`; None where there are none: a cell of None is not NaN."""
    if value.none and is_missing(marker) and marker is not None:
        return None
    if value.dtype == "string":
        text = value.missing if is_missing(marker) else marker
        return _equal(value, text, graph) if isinstance(text, str) else None
    if is_missing(marker):
        none = value.dtype not in ("float32", "float64") or (marker is None and not value.none)
        return None if none else Value(graph.op("IsNaN", value.name), "bool", value.width)
    if isinstance(marker, str):
        return None
    if value.dtype == "bool" or (value.dtype == "int64" and int(marker) != marker):
        return None
    if value.dtype == "float32" and float(marker) != _in_float32(marker):
        raise Unsupported(f"missing_values={marker!r} is not exact in float32")
    return _equal(value, marker, graph)


def _in_float32(number: Any) -> float:
    import numpy as np

    return float(np.float32(number))


def _equal(value: Value, marker: Any, graph: GraphBuilder) -> Value:
    return Value(graph.op("Equal", value.name, graph.const([[marker]], value.dtype)), "bool", value.width)


def _filled(value: Value, mask: Value | None, fills: list[Any], keep_all: bool, graph: GraphBuilder) -> Frame:
    kept = [i for i, fill in enumerate(fills) if keep_all or not _is_nan(fill)]
    if not kept:
        return ()
    chosen = graph.select((value,), kept)[0]
    if mask is None:
        return (chosen,)
    known = [fills[i] for i in kept]
    if value.dtype == "int64" and any(int(f) != f for f in known):
        chosen = graph.cast(chosen, graph.real)
    row = graph.const([known] if value.dtype != "string" else _texts(known, value), chosen.dtype)
    where = graph.select((mask,), kept)[0].name
    name = graph.op("Where", where, row, chosen.name)
    cells = _filled_cells(chosen, known[0])
    # a sparse matrix still stores a cell that is filled with 0
    held = None if chosen.held is None else graph.held(chosen)
    return (Value(name, chosen.dtype, chosen.width, chosen.column, chosen.missing, cells, held=held),)


def _filled_cells(column: Value, fill: Any) -> Any:
    """Returns the example's cells in a text column, with missing cells filled; None where they are unknown."""
    import numpy as np

    if column.cells is None or column.dtype != "string":
        return None
    return np.array([fill if cell is None else cell for cell in column.cells.ravel()], object)


def _is_nan(fill: Any) -> bool:
    return fill is not None and is_missing(fill)


def _texts(fills: list[Any], value: Value) -> Any:
    import numpy as np

    if not all(isinstance(fill, str) for fill in fills):
        raise Unsupported(f"the imputer fills the text column {value.column or value.name!r} with {fills[0]!r}")
    return np.array([fills], object)


def _indicators(indicator: Any, blocks: Frame, masks: tuple[Value | None, ...], graph: GraphBuilder) -> Frame:
    """Returns the missing masks of `indicator.features_`, as `bool` columns."""
    if not len(indicator.features_):
        return ()
    flags = tuple(mask or _never(block, graph) for block, mask in zip(blocks, masks))
    return graph.select(flags, [int(i) for i in indicator.features_])


def _never(value: Value, graph: GraphBuilder) -> Value:
    same = graph.op("Equal", value.name, value.name)
    return Value(graph.op("Not", same), "bool", value.width)


def indicator(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the missing masks of the columns that the indicator reports."""
    blocks = _merged(frame, False, graph)
    masks = tuple(_missing(value, fitted.missing_values, graph) for value in blocks)
    flags = _indicators(fitted, blocks, masks, graph)
    if not flags:
        raise Unsupported("the MissingIndicator has no output column: nothing was missing in the fit")
    return Answer(transformed=flags)


def _simple_values(fitted: Any) -> list[list[Any] | None]:
    """Returns only the values that distinguish a missing text from an empty one, where the imputer reads objects."""
    text = fitted._fit_dtype.kind == "O"
    return [_text_values(fitted.missing_values, fill) if text else None for fill in fitted.statistics_]


def _text_values(marker: Any, fill: Any) -> list[Any] | None:
    if not isinstance(fill, str):
        return None
    if isinstance(marker, str):
        return [marker]
    return [None if marker is None else float("nan"), ""]


def _spread(fitted: Any, thresholds: list[list[float]]) -> list[list[float]]:
    """Maps thresholds on the kept columns to their positions among all columns."""
    keeps = getattr(fitted, "keep_empty_features", False)
    places = [i for i, fill in enumerate(fitted.statistics_) if keeps or not _is_nan(fill)]
    found: list[list[float]] = [[] for _ in fitted.statistics_]
    for place, values in zip(places, thresholds):
        found[place] = values
    return found


def _indicator_sparse(fitted: Any, given: bool) -> bool:
    return bool(given if fitted.sparse == "auto" else fitted.sparse)


STEPS = {
    "SimpleImputer": Step(simple, values=_simple_values, back=_spread, sparse=lambda fitted, given: given),
    "MissingIndicator": Step(indicator, sparse=_indicator_sparse),
}
