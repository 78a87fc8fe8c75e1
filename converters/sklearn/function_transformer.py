"""User-defined functions as steps: by a registered graph, else by tracing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, Thresholds
from .._steps.user_defined import advice, answered, dotted, function_step
from .._tracing.symbolic_array import Rehearsal
from .._tracing.symbolic_frame import table
from .._tracing.trace import Traced, array, trace
from ..spec import Unsupported

_INVERSES = {
    "log": "exp",
    "log1p": "expm1",
    "log2": "exp2",
    "exp": "log",
    "expm1": "log1p",
    "exp2": "log2",
    "sqrt": "square",
    "negative": "negative",
    "tanh": "arctanh",
    "deg2rad": "rad2deg",
    "rad2deg": "deg2rad",
}
"""Monotonic functions of numpy: a threshold on the output is a threshold on the input."""
_EXACT = ("sqrt", "negative", "deg2rad", "rad2deg")
"""Those that numpy rounds the same on every processor; the others' last digit depends on it."""
_CELL_BY_CELL = [
    "absolute",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "deg2rad",
    "expm1",
    "log1p",
    "negative",
    "rad2deg",
    "rint",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]
"""Those that scipy applies to the stored cells of a sparse matrix, which stays sparse."""
_CLEAR = 2.0**-46
"""Distance from a threshold, relative to it and at least to 1, at which the last digit no longer matters."""


def function(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the function's result on the frame; the frame itself where there is no function."""
    if fitted.func is None:
        return Answer(transformed=frame)
    author = function_step(fitted.func)
    if author is not None:
        return answered(author, fitted, frame, graph)
    name = _name(fitted.func)
    try:
        return Answer(transformed=_sparse_as_given(fitted, _traced(fitted, frame, graph).frame, frame, graph))
    except Unsupported as error:
        reason = f"FunctionTransformer(func={name}) cannot be converted: {error}"
        raise Unsupported(f"{reason}. Write it with numpy on whole columns, {advice(name)}") from error


def _sparse_as_given(fitted: Any, made: Frame, frame: Frame, graph: GraphBuilder) -> Frame:
    """Keeps the cells of a sparse matrix, even if they are 0 now, where the function is one of numpy's."""
    name = getattr(fitted.func, "__name__", "")
    if all(v.held is None for v in frame) or name not in _CELL_BY_CELL or not _is_numpys(fitted.func, name):
        return made
    return (replace(graph.matrix(made), held=graph.held(graph.matrix(frame))),)


def _name(func: Any) -> str:
    return dotted(func) if hasattr(func, "__name__") else repr(func)


def _traced(fitted: Any, frame: Frame, graph: GraphBuilder) -> Traced:
    jumps: dict[int, set[float]] = {}
    names = [] if fitted.validate else [str(n) for n in getattr(fitted, "feature_names_in_", ())]
    given = table(frame, names, graph, jumps) if names else array(frame, graph, jumps)
    return trace(fitted.func, given, jumps, dict(fitted.kw_args or {}))


def _rehearsed(fitted: Any) -> Traced | None:
    """Returns the trace on columns of unknown type; None where tracing fails."""
    graph = Rehearsal("float64")
    width = int(fitted.n_features_in_)
    try:
        return _traced(fitted, tuple(Value(f"x{i}", "float64") for i in range(width)), graph)
    except Unsupported:
        return None


def _thresholds(fitted: Any) -> Thresholds:
    """Returns the constants that the function compares its input with."""
    if fitted.func is None or function_step(fitted.func) is not None:
        return []
    found = _rehearsed(fitted)
    return [] if found is None else [sorted(found.jumps.get(i, ())) for i in range(int(fitted.n_features_in_))]


def _back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    """Maps thresholds back: through a numpy function by its inverse, else to the columns that pass unchanged."""
    if fitted.func is None:
        return thresholds
    name = getattr(fitted.func, "__name__", "")
    if name in _INVERSES and _is_numpys(fitted.func, name):
        targets = thresholds if name in _EXACT else [_beside(values) for values in thresholds]
        return [_inverted(_INVERSES[name], values) for values in targets]
    found = None if function_step(fitted.func) is not None else _rehearsed(fitted)
    if found is None or len(found.origin) != len(thresholds):
        return []
    columns: Thresholds = [[] for _ in range(int(fitted.n_features_in_))]
    for position, values in zip(found.origin, thresholds):
        if position is not None:
            columns[position] += values
    return columns


def _moves(fitted: Any) -> Sequence[int | None] | None:
    """Returns the columns that the function passes unchanged, wherever they end up."""
    if fitted.func is None:
        return None
    found = None if function_step(fitted.func) is not None else _rehearsed(fitted)
    return [] if found is None else found.origin


def _is_numpys(func: Any, name: str) -> bool:
    import numpy as np

    return getattr(np, name, None) is func


def _beside(values: list[float]) -> list[float]:
    """Returns a number on either side of each."""
    return [v + side * _CLEAR * max(abs(v), 1.0) for v in values for side in (-1.0, 1.0)]


def _inverted(name: str, values: list[float]) -> list[float]:
    import numpy as np

    with np.errstate(all="ignore"):
        found = getattr(np, name)(np.asarray(values, np.float64))
    return [float(v) for v in found if np.isfinite(v)]


STEPS = {"FunctionTransformer": Step(function, thresholds=_thresholds, back=_back, moves=_moves)}
