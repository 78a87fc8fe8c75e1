"""Finds the bounds of a column's accepted numbers by asking the original: a logarithm rejects numbers below 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..spec import Description, Table, TensorSpec
from .probes import LADDER, Column, Probe, columns_of, together

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Edge = tuple[float, float]
"""Two numbers of one column: the original rejects the first and answers the second."""


def with_edges(
    description: Description,
    inputs: tuple[TensorSpec, ...],
    example: Table,
    probes: Sequence[Probe],
    refused: Sequence[int],
    predict: Callable[[Table], Table],
) -> Description:
    """The description with a bound wherever the original begins to reject and `describe` gave no bound."""
    import numpy as np

    rows, kinds, names = together(list(probes))
    kind, name = np.array(kinds, object), np.array(names, object)
    lost = np.zeros(len(kinds), bool)
    lost[list(refused)] = True
    found: list[Edge] = []
    bounds: dict[str, tuple[float, ...]] = {}
    for column in columns_of(description, inputs, example) if lost.any() else ():
        feature = column.feature
        mine = (name == feature.name) & np.isin(kind, ("odd", "large"))
        if feature.values or column.spec.is_text or not (mine & lost).any():
            continue
        cells = column.cells(rows)
        edges = [_edge(column, span, found, predict) for span in _spans(column, cells[mine], lost[mine])]
        found += [edge for edge in edges if edge]
        bounds[feature.name] = tuple(edge[0] for edge in edges if edge)
    features = tuple(replace(f, bounds=(*f.bounds, *bounds.get(f.name, ()))) for f in description.features)
    return replace(description, features=features)


def _spans(column: Column, cells: Array, lost: Array) -> Iterator[Edge]:
    """Below and above the example: the nearest rejected number, and the answered number nearest to it."""
    import numpy as np

    cells, own = cells.astype(np.float64), column.values.astype(np.float64)
    taken = np.concatenate([cells[~lost], own[~np.isnan(own)]])
    bad = cells[lost & np.isfinite(cells)]
    if column.spec.is_float:
        bad = np.array([v for v in bad if _has_no_limit(float(v), taken)])
    for sign in (1.0, -1.0):
        beyond = bad[sign * bad < np.nanmin(sign * own)] if np.isfinite(own).any() else bad[:0]
        if beyond.size:
            nearest = sign * np.max(sign * beyond)
            span = float(nearest), float(sign * np.min(sign * taken[sign * taken > sign * nearest]))
            if abs(_rank(span[0], column.spec) - _rank(span[1], column.spec)) > 1:
                yield span


def _has_no_limit(value: float, taken: Array) -> bool:
    """Whether a limit on the magnitude cannot exclude the number: it is small, or the original answers its negative."""
    return abs(value) <= LADDER[0] or bool((taken == -value).any())


def _edge(column: Column, span: Edge, found: Sequence[Edge], predict: Callable[[Table], Table]) -> Edge | None:
    """The edge: two neighbouring numbers within the span; None where the edge depends on other columns."""
    import numpy as np

    def answered(value: float) -> bool:
        try:
            predict(column.with_values(np.array([value]), np.array([0])))
        except Exception:  # any exception of the original is a rejection
            return False
        return True

    def holds(edge: Edge) -> bool:
        return not answered(edge[0]) and answered(edge[1])

    within = [e for e in found if min(span) <= min(e) and max(e) <= max(span)]
    for edge in within:  # columns of one model mostly share an edge
        if holds(edge):
            return edge
    if not holds(span):
        return None
    bad, good = (_rank(value, column.spec) for value in span)
    while abs(good - bad) > 1:
        middle = (bad + good) // 2
        bad, good = (bad, middle) if answered(_number(middle, column.spec)) else (middle, good)
    return _number(bad, column.spec), _number(good, column.spec)


def _rank(value: float, spec: TensorSpec) -> int:
    """The rank of the number among all of its type."""
    import numpy as np

    if not spec.is_float:
        return int(value)
    magnitude = int(np.abs(np.float64(value)).view(np.int64))
    return -magnitude if value < 0 else magnitude


def _number(rank: int, spec: TensorSpec) -> float:
    """The number of that rank."""
    import numpy as np

    if not spec.is_float:
        return rank
    magnitude = float(np.int64(abs(rank)).view(np.float64))
    return float(np.dtype(spec.dtype).type(-magnitude if rank < 0 else magnitude))
