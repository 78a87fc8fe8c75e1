"""Row-wise reductions: sums, means, extremes and others."""

from __future__ import annotations

import math
from functools import reduce as fold
from typing import Any, Callable

from .._graph.arithmetic import Wholes
from ..spec import Unsupported
from .symbolic_array import MIXES, is_symbol, kind_of


def _axis(x: Any, axis: Any, name: str) -> None:
    import numpy as np

    if not is_symbol(x):
        raise Unsupported(f"numpy.{name} of a list of columns has no graph: join them with np.column_stack first")
    if np.ndim(axis) or axis is None or x.ndim != 2 or axis not in (1, -1):
        shown = "over everything" if axis is None else f"over axis {axis}"
        raise Unsupported(f"numpy.{name} {shown}: {MIXES}; only axis=1 of a table has a graph")


def _closed(x: Any, name: str, ghost: Any, keepdims: bool) -> Any:
    """Returns the row's number `[N, 1]` in the requested shape."""
    full = x.made(name, ghost.reshape(0, 1))
    return full if keepdims else full.made(x.graph.op("Reshape", name, x.graph.const([-1], "int64")), ghost)


def _reducer(name: str, write: Callable[[Any, Any], str]) -> Callable[..., Any]:
    """Returns `numpy.NAME(x, axis=1)`, computed by `write(x, dtype)`, which returns `[N, 1]`."""

    def reduced(
        x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **other: Any
    ) -> Any:
        import numpy as np

        if isinstance(dtype, bool) or out is not None or other:
            raise Unsupported(f"numpy.{name} with arguments other than axis and keepdims has no graph")
        _axis(x, axis, name)
        typed = {} if dtype is None else {"dtype": dtype}
        ghost = getattr(np, name)(_one_row(x), axis=1, **typed)
        ghost = np.zeros(0, ghost.dtype)
        return _closed(x, write(x, ghost.dtype), ghost, keepdims is True)

    return reduced


def _one_row(x: Any) -> Any:
    """Returns a row of ones, since some numpy functions warn about or reject an empty array."""
    import numpy as np

    return np.ones((1, *x.rest), x.dtype)


def _row(x: Any, kind: str, name: str) -> str:
    return str(x.graph.op(kind, name, x.graph.const([1], "int64"), keepdims=1))


def _cells(x: Any, dtype: Any) -> list[str]:
    graph = x.graph
    whole = x.cast(dtype)
    return [graph.op("Gather", whole, graph.const([i], "int64"), axis=1) for i in range(x.rest[0])]


def _total(x: Any, dtype: Any) -> str:
    if dtype.kind == "f":
        return _row(x, "ReduceSum", x.cast(dtype))
    return fold(lambda a, b: str(x.graph.op("Add", a, b)), _cells(x, dtype))  # ReduceSum loses digits of integers


def _product(x: Any, dtype: Any) -> str:
    return fold(lambda a, b: str(x.graph.op("Mul", a, b)), _cells(x, dtype))


def _average(x: Any, dtype: Any) -> str:
    count = x.graph.const([[float(x.rest[0])]], kind_of(dtype, x.graph))
    return str(x.graph.op("Div", _row(x, "ReduceSum", x.cast(dtype)), count))


def _extreme(kind: str, worst: float) -> Callable[[Any, Any], str]:
    """Returns a writer of each row's maximum or minimum; NaN where the row contains one."""

    def write(x: Any, dtype: Any) -> str:
        import numpy as np

        graph = x.graph
        if dtype.kind == "b":
            flags = x.astype(np.int32)
            return str(flags.made(_row(x, kind, flags.name), flags.ghost).cast(dtype))
        if dtype.kind != "f":
            wholes = Wholes(graph, kind_of(dtype, graph))
            pick = wholes.maximum if kind == "ReduceMax" else wholes.minimum
            return fold(pick, _cells(x, dtype))  # ReduceMax looks at 32 bits only, as Max does
        real = kind_of(dtype, graph)
        spoilt = graph.op("IsNaN", x.name)
        clean = graph.op("Where", spoilt, graph.const(worst, real), x.name)
        mark = _row(x, "ReduceSum", graph.op("Where", spoilt, x.name, graph.const(0.0, real)))
        return str(graph.op("Add", _row(x, kind, clean), mark))

    return write


def _flags(kind: str) -> Callable[[Any, Any], str]:
    def write(x: Any, dtype: Any) -> str:
        import numpy as np

        flags = x.astype(bool).astype(np.int32)
        return str(flags.made(_row(x, kind, flags.name), flags.ghost).cast(np.dtype(bool)))

    return write


def _position(kind: str, worst: float) -> Callable[[Any, Any], str]:
    """Returns a writer of the index of the first extreme, or of the first NaN where there is one."""

    def write(x: Any, dtype: Any) -> str:
        graph = x.graph
        if x.dtype.kind != "f":
            return str(graph.op(kind, x.cast(dtype), axis=1))
        spoilt = graph.op("IsNaN", x.name)
        clean = graph.op("Where", spoilt, graph.const(worst, kind_of(x.dtype, graph)), x.name)
        marks = graph.op("Cast", spoilt, to=6)
        hurt = graph.op("Cast", _row(x, "ReduceMax", marks), to=9)
        return str(graph.op("Where", hurt, graph.op("ArgMax", marks, axis=1), graph.op(kind, clean, axis=1)))

    return write


def variance(x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, **other: Any) -> Any:
    """`numpy.var` of each row."""
    import numpy as np

    if other:
        raise Unsupported(f"numpy.var with {sorted(other)[0]}= has no graph")
    _axis(x, axis, "var")
    away = x - REDUCTIONS["mean"](x, axis=1, keepdims=True)
    total = REDUCTIONS["sum"](np.square(away), axis=1, keepdims=keepdims)
    return total / float(x.rest[0] - ddof)


def deviation(x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, **other: Any) -> Any:
    """`numpy.std` of each row."""
    import numpy as np

    return np.sqrt(variance(x, axis, ddof, keepdims, **other))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`numpy.linalg.norm` of each row: Euclidean, the sum or the largest of the magnitudes."""
    import numpy as np

    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    if ord in (None, 2):
        return np.sqrt(REDUCTIONS["sum"](np.square(x), axis=axis, keepdims=keepdims))
    if ord not in (1, np.inf):
        raise Unsupported(f"numpy.linalg.norm with ord={ord} has no graph")
    return REDUCTIONS["sum" if ord == 1 else "max"](np.absolute(x), axis=axis, keepdims=keepdims)


def cumulated(x: Any, axis: Any = None, **other: Any) -> Any:
    """`numpy.cumsum` of each row."""
    import numpy as np

    if other:
        raise Unsupported(f"numpy.cumsum with {sorted(other)[0]}= has no graph")
    _axis(x, axis, "cumsum")
    ghost = np.cumsum(x.ghost, axis=1)
    return x.made(x.graph.op("CumSum", x.cast(ghost.dtype), x.graph.const(1, "int64")), ghost)


def _without_nan(name: str, fill: float, empty: bool) -> Callable[..., Any]:
    """Returns `numpy.nanNAME`: missing cells count as `fill`; where `empty`, a row of only NaN gives NaN."""

    def reduced(x: Any, axis: Any = None, keepdims: Any = False, **other: Any) -> Any:
        import numpy as np

        if other:
            raise Unsupported(f"numpy.nan{name} with {sorted(other)[0]}= has no graph")
        _axis(x, axis, f"nan{name}")
        if x.dtype.kind != "f":
            return REDUCTIONS[name](x, axis=1, keepdims=keepdims)
        gone = np.isnan(x)
        found = REDUCTIONS[name](np.where(gone, fill, x), axis=1, keepdims=keepdims)
        all_gone = REDUCTIONS["all"](gone, axis=1, keepdims=keepdims)
        return np.where(all_gone, np.nan, found) if empty else found

    return reduced


def nan_average(x: Any, axis: Any = None, keepdims: Any = False, **other: Any) -> Any:
    """`numpy.nanmean` of each row."""
    import numpy as np

    total = REDUCTIONS["nansum"](x, axis=axis, keepdims=keepdims, **other)
    there = np.logical_not(np.isnan(x)).astype(np.float64)
    return total / REDUCTIONS["sum"](there, axis=1, keepdims=keepdims)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _reducer("sum", _total),
    "prod": _reducer("prod", _product),
    "mean": _reducer("mean", _average),
    "max": _reducer("max", _extreme("ReduceMax", -math.inf)),
    "min": _reducer("min", _extreme("ReduceMin", math.inf)),
    "any": _reducer("any", _flags("ReduceMax")),
    "all": _reducer("all", _flags("ReduceMin")),
    "argmax": _reducer("argmax", _position("ArgMax", -math.inf)),
    "argmin": _reducer("argmin", _position("ArgMin", math.inf)),
    "var": variance,
    "std": deviation,
    "nansum": _without_nan("sum", 0.0, False),
    "nanmax": _without_nan("max", -math.inf, True),
    "nanmin": _without_nan("min", math.inf, True),
    "nanmean": nan_average,
}
REDUCTIONS["amax"], REDUCTIONS["amin"] = REDUCTIONS["max"], REDUCTIONS["min"]
