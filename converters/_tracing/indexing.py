"""Indexing of symbolic arrays: selects columns by position, assigns to them, reshapes."""

from __future__ import annotations

from typing import Any

from .._graph.floats import maths
from ..spec import Unsupported
from .symbolic_array import MIXES, Rows, ghost_of, is_symbol, kind_of
from .ufuncs import aligned, named


def _key(symbol: Any, key: Any) -> tuple[Any, ...]:
    """Returns the key with one entry per axis, rows first; raises `Unsupported` where it selects rows."""
    whole = key if isinstance(key, tuple) else (key,)
    if any(map(is_symbol, whole)):
        raise Unsupported("it selects rows by their values (X[mask]): use np.where")
    if Ellipsis in [k for k in whole if k is Ellipsis]:
        at = next(i for i, k in enumerate(whole) if k is Ellipsis)
        used = sum(k is not None and k is not Ellipsis for k in whole)
        whole = (*whole[:at], *[slice(None)] * (symbol.ndim - used), *whole[at + 1 :])
    rows = whole[0]
    if not (isinstance(rows, slice) and (rows.start, rows.stop, rows.step) in ((None, None, None), (0, None, None))):
        raise Unsupported(f"it selects rows (X[{_shown(key)}]): only whole columns can be selected, as X[:, i]")
    return (slice(None), *whole[1:])


def _shown(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= 40 else text[:37] + "…"


def _positions(symbol: Any) -> Any:
    import numpy as np

    return np.arange(int(np.prod(symbol.rest, dtype=int))).reshape(1, *symbol.rest)


def pick(symbol: Any, key: Any) -> Any:
    """`symbol[key]` for whole columns."""
    key = _key(symbol, key)
    taken, ghost = _positions(symbol)[key], symbol.ghost[key]
    if taken.shape[1:] != ghost.shape[1:] or taken.shape[0] != 1:
        raise Unsupported("an index of this kind has no graph")
    found = arranged(symbol, taken.ravel().tolist(), ghost)
    found.view_of = (symbol, key)
    return found


def arranged(symbol: Any, positions: list[int], ghost: Any) -> Any:
    """Returns each row's cells at these positions, in the ghost's shape, as a view that must not be changed."""
    graph = symbol.graph
    count = int(_positions(symbol).size)
    name = symbol.name
    if positions != list(range(count)):
        flat = name if symbol.ndim == 2 else _reshaped(symbol, name, (count,))
        name = graph.op("Gather", flat, graph.const(positions, "int64"), axis=1)
        name = name if ghost.ndim == 2 else _reshaped(symbol, name, ghost.shape[1:])
    elif symbol.ghost.shape != ghost.shape:
        name = _reshaped(symbol, name, ghost.shape[1:])
    origin = tuple(symbol.origin[i] for i in positions) if symbol.origin else ()
    return symbol.made(name, ghost, origin, owned=False)


def _reshaped(symbol: Any, name: str, rest: tuple[int, ...]) -> str:
    return str(symbol.graph.op("Reshape", name, symbol.graph.const([-1, *rest], "int64")))


def put(symbol: Any, key: Any, value: Any) -> None:
    """`symbol[key] = value` for whole columns, or for the cells selected by a mask of the same shape."""
    if is_symbol(key):
        symbol.become(_masked(symbol, key, value))
        return
    if symbol.ndim != 2:
        raise Unsupported("only columns of a table can be changed")
    key = _key(symbol, key)
    taken = _positions(symbol)[key].ravel().tolist()
    ghost = symbol.ghost[key]
    aligned([value], ghost)
    graph, width = symbol.graph, symbol.rest[0]
    new = graph.op("Expand", named(value, symbol.dtype, ghost, graph), _shape_like(symbol, ghost.shape[1:]))
    new = _reshaped(symbol, new, (len(taken),))
    both = graph.op("Concat", symbol.name, new, axis=1)
    order = list(range(width))
    for i, position in enumerate(taken):
        order[position] = width + i
    name = graph.op("Gather", both, graph.const(order, "int64"), axis=1)
    origin = tuple(None if i in taken else o for i, o in enumerate(symbol.origin))
    symbol.become(symbol.made(name, symbol.ghost, origin))


def _masked(symbol: Any, mask: Any, value: Any) -> Any:
    import numpy as np

    if mask.ghost.dtype != bool or mask.ghost.shape != symbol.ghost.shape or np.ndim(ghost_of(value)):
        raise Unsupported("only X[mask] = number, for a mask of the same shape, has a graph: use np.where")
    graph = symbol.graph
    calculus = maths(graph, kind_of(symbol.dtype, graph))
    name = calculus.where(mask.name, named(value, symbol.dtype, symbol.ghost, graph), symbol.name)
    return symbol.made(name, symbol.ghost)


def _shape_like(symbol: Any, rest: tuple[int, ...]) -> str:
    """Returns a shape with the symbol's number of rows."""
    graph = symbol.graph
    rows = graph.op("Shape", symbol.name, start=0, end=1)
    return str(graph.op("Concat", rows, graph.const(list(rest), "int64"), axis=0) if rest else rows)


def filled(symbol: Any, value: Any, dtype: Any) -> Any:
    """Returns an array of the symbol's shape (as `numpy.full_like`) with one constant in every cell."""
    import numpy as np

    ghost = np.full_like(symbol.ghost, value, dtype=dtype)
    number = symbol.graph.const(np.full([1] * symbol.ndim, value, ghost.dtype), kind_of(ghost.dtype, symbol.graph))
    return symbol.made(symbol.graph.op("Expand", number, _shape_like(symbol, symbol.rest)), ghost)


def reshape(symbol: Any, *shape: Any, **named_: Any) -> Any:
    """Reshapes each row; the rows stay separate."""
    target = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    if named_:
        raise Unsupported("reshape with arguments other than a shape has no graph")
    rows, *rest = target
    if not (isinstance(rows, Rows) or rows == -1):
        raise Unsupported(f"reshape{tuple(target)!r}: {MIXES}")
    cells = int(_positions(symbol).size)
    known = 1
    for size in rest:
        known *= 1 if size == -1 else size
    rest = [cells // known if size == -1 else int(size) for size in rest]
    total = 1
    for size in rest:
        total *= size
    if total != cells:
        raise Unsupported(f"reshape to {len(rest) + 1} dimensions: {MIXES}")
    return arranged(symbol, list(range(cells)), symbol.ghost.reshape(0, *rest))
