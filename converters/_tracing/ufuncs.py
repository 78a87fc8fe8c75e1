"""numpy's universal functions on symbolic arrays: types and shapes from ghosts, values from nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import GraphBuilder
from .._graph.floats import maths
from ..spec import Unsupported
from .symbolic_array import MIXES, Rehearsal, first, ghost_of, is_symbol, kind_of

_COMPARE = {
    "equal": "Equal",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
}
_ASK = ("isnan", "isinf", "isfinite", "signbit")
_LOGICAL = ("logical_and", "logical_or", "logical_xor", "logical_not")


def aligned(operands: Sequence[Any], ghost: Any) -> None:
    """Raises `Unsupported` where an operand's rows do not correspond to the result's."""
    import numpy as np

    for operand in operands:
        shape = np.shape(ghost_of(operand))
        if is_symbol(operand) and len(shape) != ghost.ndim:
            raise Unsupported(f"it combines arrays of {len(shape)} and {ghost.ndim} dimensions: {MIXES}")
        if not is_symbol(operand) and (len(shape) > ghost.ndim or (len(shape) == ghost.ndim and shape[0] != 1)):
            raise Unsupported("it combines the input's rows with an array that has rows of its own")


def named(value: Any, dtype: Any, ghost: Any, graph: GraphBuilder) -> str:
    """Returns the name of an operand in the type `dtype`; a scalar is repeated for each column.

    ONNX Runtime fuses a single number with an adjacent matrix product, and keeps it in float32.
    """
    import numpy as np

    if is_symbol(value):
        return str(value.cast(dtype))
    array = np.asarray(value).astype(dtype)
    if array.size == 1 and ghost.ndim > 1:
        array = np.broadcast_to(array.reshape([1] * ghost.ndim), (1, *ghost.shape[1:]))
    return graph.const(array, kind_of(array.dtype, graph))


def elementwise(ufunc: Any, inputs: Sequence[Any]) -> Any:
    """Returns the result of a universal function."""
    import numpy as np

    symbol = first(inputs)
    graph: GraphBuilder = symbol.graph
    name = "floor_divide" if ufunc.__name__ == "divmod" else ufunc.__name__
    if name == "matmul":
        return _product(*inputs)
    if any(kind_of(v.dtype, graph) == "string" if is_symbol(v) else isinstance(v, str) for v in inputs):
        return _text(name, inputs)
    ghost = ufunc(*map(ghost_of, inputs))
    if isinstance(ghost, tuple):
        raise Unsupported(f"numpy.{ufunc.__name__} returns two arrays and has no graph")
    aligned(inputs, ghost)
    if name in _COMPARE or name == "not_equal":
        return symbol.made(_compared(name, inputs, ghost, graph), ghost)
    dtype = _working_type(name, inputs, ghost)
    calculus = maths(graph, kind_of(dtype, graph))
    if name == "power" and dtype.kind in "iu":
        return symbol.made(_whole_power(calculus, inputs, dtype), ghost)
    writer = getattr(calculus, name, None)
    if writer is None or name not in _public(type(calculus)):
        raise Unsupported(f"numpy.{name} on {dtype} has no graph")
    found = writer(*(named(v, dtype, ghost, graph) for v in inputs))
    if found == symbol.name and np.shape(ghost) == np.shape(symbol.ghost):
        return symbol.made(found, ghost, symbol.origin)
    return symbol.made(found, ghost)


def _public(kind: type) -> frozenset[str]:
    """Returns the names of numpy's functions among the methods of the class."""
    own = {"graph", "kind", "op", "n", "where", "raised"}
    return frozenset(n for n in dir(kind) if not n.startswith("_")) - own


def _working_type(name: str, inputs: Sequence[Any], ghost: Any) -> Any:
    import numpy as np

    if name in _LOGICAL:
        return np.dtype(bool)
    if name in _ASK:
        dtype = inputs[0].dtype
        return dtype if dtype.kind == "f" else np.dtype(np.float64)
    return ghost.dtype


def _compared(name: str, inputs: Sequence[Any], ghost: Any, graph: GraphBuilder) -> str:
    import numpy as np

    dtype = np.result_type(*(ghost_of(v) for v in inputs))
    flags = dtype.kind == "b" and name not in ("equal", "not_equal")
    dtype = np.dtype(np.int32) if flags else dtype
    names = [named(v, dtype, ghost, graph) for v in inputs]
    for this, other in (inputs, inputs[::-1]):
        if is_symbol(this) and not is_symbol(other):
            _note(this, other, ghost)
    if name == "not_equal":
        return graph.op("Not", graph.op("Equal", *names))
    return graph.op(_COMPARE[name], *names)


def _note(symbol: Any, other: Any, ghost: Any) -> None:
    """Records the constants that an input column is compared with, as values worth probing."""
    import numpy as np

    width = int(np.prod(ghost.shape[1:], dtype=int))
    if width == len(symbol.origin):
        values = np.broadcast_to(np.asarray(other, float), (1, *ghost.shape[1:])).ravel()
        for position, value in zip(symbol.origin, values):
            if position is not None and np.isfinite(value):
                symbol.jumps.setdefault(position, set()).add(float(value))


def _whole_power(calculus: Any, inputs: Sequence[Any], dtype: Any) -> str:
    import numpy as np

    base, exponent = inputs
    if is_symbol(exponent) or not is_symbol(base) or np.size(exponent) != 1:
        raise Unsupported("integers to a power that is not a constant (convert them to float first)")
    return str(calculus.raised(base.cast(dtype), int(np.asarray(exponent).ravel()[0])))


def _product(x: Any, weights: Any) -> Any:
    """Returns `x @ weights` for constant weights."""
    import numpy as np

    if is_symbol(weights) or not is_symbol(x) or x.ndim != 2:
        raise Unsupported(f"a matrix product of this kind has no graph: {MIXES}")
    ghost = x.ghost @ weights
    if ghost.dtype.kind != "f":
        raise Unsupported("a matrix product of integers has no graph: convert them to float first")
    kind = kind_of(ghost.dtype, x.graph)
    columns = np.asarray(weights).reshape(len(weights), -1)
    found = x.graph.op("Gemm", x.cast(ghost.dtype), x.graph.const(columns, kind))
    found = x.graph.op("Reshape", found, x.graph.const([-1], "int64")) if ghost.ndim == 1 else found
    return x.made(found, ghost)


def _text(name: str, inputs: Sequence[Any]) -> Any:
    """Compares text with a constant; a missing cell is equal to none."""
    import numpy as np

    symbol, other = inputs if is_symbol(inputs[0]) else inputs[::-1]
    if name not in ("equal", "not_equal") or not isinstance(other, str):
        raise Unsupported(f"numpy.{name} on text has no graph; only == and != with a constant do")
    graph = symbol.graph
    if kind_of(symbol.dtype, graph) != "string" and not isinstance(graph, Rehearsal):
        raise Unsupported(f"it compares numbers with the text {other!r}")
    found = graph.op("Equal", symbol.name, graph.const([other], "string"))
    if other == symbol.missing:
        found = graph.op("And", found, graph.const([False], "bool"))
    found = found if name == "equal" else graph.op("Not", found)
    return symbol.made(found, np.zeros(symbol.ghost.shape, bool))
