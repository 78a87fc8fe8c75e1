"""Whether neighbours within a radius hang on how a processor rounds."""

from __future__ import annotations

import copy
from typing import Any

from ...spec import Unsupported
from .distances import metric_of
from .nearest import NOISE, Ask, answers_of, differing, measured, points_of, shaky_of
from .rounding import rounded


def refuse_rounding(fitted: Any, ask: Ask) -> None:
    """`Unsupported` where the neighbours within a radius, as some processor may round, give other answers."""
    rows = shaky_of(fitted, points_of(fitted))
    if len(rows) and differing(*(answers_of(ask, _within(fitted, drawn), rows) for drawn in (True, False))):
        raise Unsupported(NOISE.format(type(fitted).__name__))


def _within(search: Any, rounding: bool) -> Any:
    """The same search of a radius, by distances as the graph measures them or as some processor may round them."""
    import numpy as np

    points, metric = points_of(search), metric_of(search)

    def radius_neighbors(x: Any, radius: float | None = None, return_distance: bool = True, **ignored: Any) -> Any:
        asked = np.asarray(x, np.float64)
        away = measured(asked, points, metric)
        away = rounded(away, asked, points, metric) if rounding else away
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
