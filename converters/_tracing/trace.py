"""Traces a function of arrays by running it once on a symbolic array."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder, Value
from ..spec import Unsupported
from .symbolic_array import Origin, Symbol, Thresholds, is_symbol, kind_of, numpy_type
from .symbolic_frame import framed


@dataclass(frozen=True)
class Traced:
    """`frame`: the function's result. `origin`: per column of it, the input column that it equals unchanged, or None.
    `jumps`: the constants that input columns are compared with, by column position."""

    frame: Frame
    origin: Origin
    jumps: Thresholds


def trace(function: Callable[..., Any], given: Any, jumps: Thresholds, keywords: dict[str, Any]) -> Traced:
    """Traces the function on a symbol; raises `Unsupported` naming the operation that has no graph."""
    with _arrays_kept():
        try:
            found = function(given, **keywords)
        except Unsupported:
            raise
        except Exception as error:
            raise Unsupported(f"{type(error).__name__}: {error}") from error
    symbol = given_back(found)
    if hasattr(symbol, "parts"):
        frame, origin = symbol.parts()
        return Traced(frame, origin, jumps)
    if symbol.ndim > 2:
        raise Unsupported(f"it returns an array of {symbol.ndim} dimensions")
    kind = kind_of(symbol.dtype, symbol.graph)
    width = symbol.rest[0] if symbol.ndim == 2 else 1
    name = symbol.name
    if symbol.ndim == 1:
        name = symbol.graph.op("Reshape", name, symbol.graph.const([-1, 1], "int64"))
    return Traced((Value(name, kind, width),), symbol.origin or (None,) * width, jumps)


def given_back(found: Any) -> Any:
    """Returns the symbol that a function returned; raises `Unsupported` where it returned something else."""
    if not is_symbol(found):
        raise Unsupported(f"it returns a {type(found).__name__} that is not computed from its input")
    return found


def array(frame: Frame, graph: GraphBuilder, jumps: Thresholds) -> Symbol:
    """Returns the frame as one array, as scikit-learn passes it from step to step."""
    import numpy as np

    dtypes = [numpy_type(value.dtype) for value in frame]
    if any(d.kind == "O" for d in dtypes):
        raise Unsupported("its input contains text: pass it numeric columns only")
    dtype = np.result_type(*dtypes)
    value = graph.matrix(frame, kind_of(dtype, graph))
    return Symbol(graph, value.name, np.zeros((0, value.width), dtype), tuple(range(value.width)), jumps, owned=False)


class _Beside:
    """`numpy.c_` for symbols."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getitem__(self, key: Any) -> Any:
        import numpy as np

        parts = key if isinstance(key, tuple) else (key,)
        return np.column_stack(parts) if any(map(is_symbol, parts)) else self._own[key]


@contextmanager
def _arrays_kept() -> Iterator[None]:
    """Makes `numpy.asarray`, `pandas.DataFrame` and their like return symbols unchanged, within the context."""
    import numpy as np

    own = {name: getattr(np, name) for name in ("asarray", "asanyarray", "array", "ascontiguousarray", "c_")}

    def keeping(convert: Any) -> Callable[..., Any]:
        def kept(a: Any, dtype: Any = None, *rest: Any, **keywords: Any) -> Any:
            if not is_symbol(a):
                return convert(a, dtype, *rest, **keywords)
            made = a.to_numpy() if hasattr(a, "to_numpy") else a
            return made if dtype is None else made.astype(dtype)

        return kept

    pandas = sys.modules.get("pandas")
    frames = {name: getattr(pandas, name) for name in ("DataFrame", "to_datetime")} if pandas else {}
    try:
        for name, function in own.items():
            setattr(np, name, _Beside(function) if name == "c_" else keeping(function))
        for name, function in frames.items():
            setattr(pandas, name, _frames_of(function) if name == "DataFrame" else _dates_of(function))
        yield
    finally:
        for module, kept_ones in ((np, own), (pandas, frames)):
            for name, function in kept_ones.items():
                setattr(module, name, function)


def _frames_of(own: Any) -> Any:
    """`pandas.DataFrame`, which builds a symbolic frame from symbolic columns."""

    class Made(type):
        def __call__(cls, data: Any = None, *rest: Any, **named: Any) -> Any:
            if not isinstance(data, dict) or not any(map(is_symbol, data.values())):
                return own(data, *rest, **named)
            return framed(data, *rest, **named)

        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, own) or (is_symbol(value) and value.__class__ is cls)

        def __getattr__(cls, name: str) -> Any:
            return getattr(own, name)

    return Made("DataFrame", (), {})


def _dates_of(own: Callable[..., Any]) -> Callable[..., Any]:
    """`pandas.to_datetime`, which returns dates unchanged."""

    def kept(arg: Any, *rest: Any, **named: Any) -> Any:
        return arg if is_symbol(arg) and arg.dtype.kind == "M" and not (rest or named) else own(arg, *rest, **named)

    return kept
