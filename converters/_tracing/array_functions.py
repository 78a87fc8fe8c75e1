"""Converts numpy's functions and array methods to nodes, as far as each row's result depends on that row alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce as fold
from typing import Any, Callable

from .._graph.floats import maths
from ..spec import Unsupported
from .indexing import arranged, filled, pick, put, reshape
from .reductions import REDUCTIONS, cumulated, norm
from .symbolic_array import MIXES, Dispatch, Symbol, first, ghost_of, is_symbol, kind_of
from .ufuncs import aligned, elementwise, named


def call(function: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
    """Returns the result of a numpy function on these arguments; raises `Unsupported` where it has no graph."""
    name = function.__name__
    if name in REDUCTIONS:
        return REDUCTIONS[name](*arguments, **keywords)
    if name not in _FUNCTIONS:
        raise Unsupported(f"{function.__module__}.{name} has no graph")
    return _FUNCTIONS[name](*arguments, **keywords)


def method(symbol: Any, name: str) -> Callable[..., Any]:
    """Returns the array method called `name`."""
    if name in REDUCTIONS:
        return lambda *a, **k: REDUCTIONS[name](symbol, *a, **k)
    if name in _METHODS:
        return lambda *a, **k: _FUNCTIONS[name](symbol, *a, **k)
    raise AttributeError(f"the method .{name} has no graph")


def where(test: Any, yes: Any = None, no: Any = None) -> Any:
    """`numpy.where` with its three arguments."""
    import numpy as np

    if yes is None or no is None:
        raise Unsupported("numpy.where without its two choices selects rows by their values")
    ghost = np.where(ghost_of(test), ghost_of(yes), ghost_of(no))
    aligned([test, yes, no], ghost)
    symbol = first([test, yes, no])
    graph = symbol.graph
    flag = named(test, np.dtype(bool), ghost, graph)
    choices = [named(v, ghost.dtype, ghost, graph) for v in (yes, no)]
    return symbol.made(maths(graph, kind_of(ghost.dtype, graph)).where(flag, *choices), ghost)


def select(tests: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Any:
    """`numpy.select`: the choice of the first condition that is true."""
    found = default
    for test, choice in reversed(list(zip(tests, choices))):
        found = where(test, choice, found)
    return found


def clip(x: Any, a_min: Any = None, a_max: Any = None, **keywords: Any) -> Any:
    """`numpy.clip`."""
    import numpy as np

    low, high = keywords.pop("min", a_min), keywords.pop("max", a_max)
    _plain("clip", keywords)
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def rounded(x: Any, decimals: int = 0, out: Any = None) -> Any:
    """`numpy.round`: scales, rounds half to even, scales back."""
    import numpy as np

    if x.dtype.kind in "iub" and decimals >= 0:
        return x
    if decimals == 0:
        return np.rint(x)
    power = 10.0 ** abs(decimals)
    return np.rint(x * power) / power if decimals > 0 else np.rint(x / power) * power


def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """`numpy.nan_to_num`."""
    import numpy as np

    if x.dtype.kind != "f":
        return x
    most = np.finfo(x.dtype).max
    x = where(np.isnan(x), nan, x)
    x = where(x == np.inf, most if posinf is None else posinf, x)
    return where(x == -np.inf, -most if neginf is None else neginf, x)


def concatenate(parts: Sequence[Any], axis: Any = 0, **keywords: Any) -> Any:
    """`numpy.concatenate` of columns."""
    import numpy as np

    _plain("concatenate", keywords)
    parts = list(parts)
    ghosts = [ghost_of(p) for p in parts]
    if axis not in (1, -1) or any(np.ndim(g) < 2 for g in ghosts):
        raise Unsupported(f"it concatenates arrays along the row axis: {MIXES}")
    if not all(map(is_symbol, parts)):
        raise Unsupported("it concatenates a constant array with the columns: use np.full_like(X[:, :1], number)")
    ghost = np.concatenate(ghosts, axis=axis)
    names = [p.cast(ghost.dtype) for p in parts]
    origin = [o for p in parts for o in (p.origin or [None] * p.rest[-1])] if ghost.ndim == 2 else []
    name = names[0] if len(names) == 1 else parts[0].graph.op("Concat", *names, axis=1)
    return parts[0].made(name, ghost, tuple(origin))


def column_stack(parts: Sequence[Any]) -> Any:
    """`numpy.column_stack`: arrays of one dimension become columns."""
    return concatenate([_column(p) for p in parts], axis=1)


def stack(parts: Sequence[Any], axis: int = 0, **keywords: Any) -> Any:
    """`numpy.stack` along a new axis after the rows."""
    _plain("stack", keywords)
    if not all(is_symbol(p) and p.ndim == 1 for p in parts) or axis not in (1, -1):
        raise Unsupported(f"numpy.stack along axis {axis}: only axis=1 of columns has a graph")
    return column_stack(parts)


def _column(part: Any) -> Any:
    return reshape(part, -1, 1) if is_symbol(part) and part.ndim == 1 else part


def take(x: Any, indices: Any, axis: Any = None, **keywords: Any) -> Any:
    """`numpy.take` of columns."""
    _plain("take", keywords)
    if axis not in (1, -1) or x.ndim != 2:
        raise Unsupported(f"numpy.take along axis {axis}: {MIXES}")
    return pick(x, (slice(None), indices))


def delete(x: Any, columns: Any, axis: Any = None) -> Any:
    """`numpy.delete` of columns."""
    import numpy as np

    if axis not in (1, -1) or x.ndim != 2:
        raise Unsupported(f"numpy.delete along axis {axis}: {MIXES}")
    return pick(x, (slice(None), np.delete(np.arange(x.rest[0]), columns).tolist()))


def flip(x: Any, axis: Any = None) -> Any:
    """`numpy.flip` of columns."""
    if axis not in (1, -1) or x.ndim != 2:
        raise Unsupported(f"numpy.flip along axis {axis}: {MIXES}")
    return pick(x, (slice(None), slice(None, None, -1)))


def diff(x: Any, n: int = 1, axis: int = -1, **keywords: Any) -> Any:
    """`numpy.diff` along the columns."""
    _plain("diff", keywords)
    if axis not in (1, -1) or x.ndim != 2:
        raise Unsupported(f"numpy.diff along axis {axis}: {MIXES}")
    for _ in range(n):
        x = x[:, 1:] - x[:, :-1]
    return x


def isin(x: Any, values: Any, **keywords: Any) -> Any:
    """`numpy.isin` for constant values."""
    import numpy as np

    _plain("isin", keywords)
    known = np.asarray(values).ravel().tolist()
    return fold(np.logical_or, (x == value for value in known)) if known else filled(x, False, bool)


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """`numpy.digitize` with increasing, constant bins: the number of bins below each value; NaN is above all."""
    import numpy as np

    edges = np.asarray(bins, float)
    if is_symbol(bins) or edges.ndim != 1 or (np.diff(edges) < 0).any():
        raise Unsupported("numpy.digitize with bins that decrease or are not constant has no graph")
    above = (np.logical_not(x <= edge) if right else np.logical_not(x < edge) for edge in edges)
    return fold(np.add, (flag.astype(np.int64) for flag in above), filled(x, 0, np.int64))


def squeeze(x: Any, axis: Any = None) -> Any:
    """`numpy.squeeze` of an axis after the rows."""
    if axis not in (1, -1) or x.ndim != 2 or x.rest != (1,):
        raise Unsupported(f"numpy.squeeze with axis={axis}: only axis=1 of a single column has a graph")
    return arranged(x, [0], x.ghost[:, 0])


def expand_dims(x: Any, axis: Any) -> Any:
    """`numpy.expand_dims` after the rows."""
    if axis not in (1, -1) or x.ndim != 1:
        raise Unsupported(f"numpy.expand_dims with axis={axis}: only axis=1 of a column has a graph")
    return reshape(x, -1, 1)


def ravel(x: Any, *order: Any) -> Any:
    """`numpy.ravel` of a single column."""
    return reshape(x, -1)


def copied(x: Any, *order: Any, **keywords: Any) -> Any:
    """Returns a copy that may be changed in place."""
    found = x.made(x.name, x.ghost, x.origin)
    found.missing = x.missing
    return found


def _plain(function: str, keywords: dict[str, Any]) -> None:
    other = sorted(k for k, v in keywords.items() if v is not None)
    if other:
        raise Unsupported(f"numpy.{function} with {other[0]}= has no graph")


def _like(value: Any) -> Callable[..., Any]:
    return lambda x, dtype=None, **_: filled(x, value, dtype)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": where,
    "select": select,
    "clip": clip,
    "round": rounded,
    "around": rounded,
    "nan_to_num": nan_to_num,
    "concatenate": concatenate,
    "hstack": lambda parts, **k: concatenate(parts, 1, **k),
    "column_stack": column_stack,
    "stack": stack,
    "take": take,
    "delete": delete,
    "flip": flip,
    "fliplr": lambda x: flip(x, 1),
    "diff": diff,
    "isin": isin,
    "digitize": digitize,
    "squeeze": squeeze,
    "expand_dims": expand_dims,
    "reshape": reshape,
    "ravel": ravel,
    "flatten": ravel,
    "copy": copied,
    "toarray": copied,
    "todense": copied,
    "cumsum": cumulated,
    "norm": norm,
    "astype": lambda x, dtype, **k: x.astype(dtype, **k),
    "zeros_like": _like(0),
    "ones_like": _like(1),
    "full_like": lambda x, fill_value, dtype=None, **_: filled(x, fill_value, dtype),
    "dot": lambda x, weights: x @ weights,
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
}
_OF_SPARSE = ("toarray", "todense")
"""Methods of a sparse matrix, under which the numbers stay the same."""
_METHODS = ("clip", "round", "take", "squeeze", "reshape", "ravel", "flatten", "copy", "cumsum", "dot", *_OF_SPARSE)

Symbol.dispatch = Dispatch(elementwise, call, method, pick, put)
