"""Checks whether neighbours within a radius depend on a processor's rounding."""

from __future__ import annotations

import copy
from typing import Any

from ...spec import Unsupported
from .distances import metric_of
from .nearest import NOISE, Ask, answers_of, differing, measured, points_of, shaky_of
from .rounding import rounded


def refuse_rounding(fitted: Any, ask: Ask) -> None:
    """Raises `Unsupported` where some processor's rounding of a radius's neighbours changes the predictions."""
    rows = shaky_of(fitted, points_of(fitted))
    if len(rows) and differing(*(answers_of(ask, _within(fitted, drawn), rows) for drawn in (True, False))):
        raise Unsupported(NOISE.format(type(fitted).__name__))


def _within(search: Any, rounding: bool) -> Any:
    """Returns the same radius search, by distances as the graph computes them or as some processor may round them."""
    import numpy as np

    points, metric = points_of(search), metric_of(search)

    def radius_neighbors(x: Any, radius: float | None = None, return_distance: bool = True, **ignored: Any) -> Any:
        queries = np.asarray(x, np.float64)
        away = measured(queries, points, metric)
        away = rounded(away, queries, points, metric) if rounding else away
        near = [np.flatnonzero(row <= (search.radius if radius is None else radius)) for row in away]
        rows = _ragged(near)
        return (_ragged([away[i, found] for i, found in enumerate(near)]), rows) if return_distance else rows

    twin = copy.copy(search)
    twin.radius_neighbors = radius_neighbors
    twin._fit_method = "kd_tree"
    return twin


def _ragged(parts: Any) -> Any:
    import numpy as np

    found = np.empty(len(parts), object)
    found[:] = parts
    return found
