"""A symbolic array: operations on it add nodes to a graph.

Its first axis is the rows, whose number is unknown. Besides the name of its value it has a *ghost*, an array of no
rows: numpy computes the type and shape of each result on ghosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, ClassVar

from .._graph.builder import GraphBuilder, _onnx_type
from ..spec import Unsupported

Thresholds = dict[int, set[float]]
Origin = tuple[Any, ...]
"""Per column the input column that it equals unchanged; None where there is none."""

MIXES = "it mixes rows: the result for one row would depend on the others"


class Rows:
    """The number of rows, which is unknown while tracing."""

    def __index__(self) -> int:
        raise Unsupported("it computes with the number of rows (np.ones_like and reshape(-1, …) do not)")

    __int__ = __float__ = __bool__ = __len__ = __index__
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return bool(self.__index__())

    def _refuse(self, other: object) -> int:
        return self.__index__()

    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = _refuse
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _refuse


class Rehearsal(GraphBuilder):
    """A graph to be discarded: a function is traced through it before the types of its columns are known."""


def kind_of(dtype: Any, graph: GraphBuilder) -> str:
    """Returns the graph's type for numpy's `dtype`."""
    kinds = {"float64": graph.real, "float32": "float32", "int64": "int64", "int32": "int32", "bool": "bool"}
    if dtype.kind in "OUST":
        return "string"
    if dtype.name not in kinds:
        raise Unsupported(f"it computes type {dtype}: only float64, float32, int64, int32 and bool have a graph")
    return kinds[dtype.name]


def numpy_type(kind: str) -> Any:
    """The original's type for a value of the graph: numbers are float64 whatever the graph's own are."""
    import numpy as np

    names = {"float32": "float64", "string": "object"}
    return np.dtype(names.get(kind, kind))


@dataclass(frozen=True)
class Dispatch:
    """The functions that carry out what is done to a symbol; they know symbols, so symbols are given them.

    `ufunc(ufunc, inputs)`, `function(function, arguments, keywords)`, `method(symbol, name)`, `pick(symbol, key)` and
    `put(symbol, key, value)`.
    """

    ufunc: Callable[[Any, Sequence[Any]], Any]
    function: Callable[[Any, Sequence[Any], dict[str, Any]], Any]
    method: Callable[[Any, str], Callable[..., Any]]
    pick: Callable[[Any, Any], Any]
    put: Callable[[Any, Any, Any], None]


def _operator(name: str, swapped: bool = False) -> Callable[..., Any]:
    def apply(self: Any, other: Any) -> Any:
        import numpy as np

        function = getattr(np, name)
        return function(other, self) if swapped else function(self, other)

    return apply


def _unary(name: str) -> Callable[..., Any]:
    def apply(self: Any) -> Any:
        import numpy as np

        return getattr(np, name)(self)

    return apply


def _changing(name: str) -> Callable[..., Any]:
    def apply(self: Any, other: Any) -> Any:
        import numpy as np

        found = getattr(np, name)(self, other)
        if found.ghost.dtype != self.ghost.dtype:
            found = found.astype(self.ghost.dtype)
        self.become(found)
        return self

    return apply


def _number(self: Any) -> Any:
    raise Unsupported("it needs the value of an array element (float(), int(), or an `if` on values: use np.where)")


class Symbol:
    """A symbolic array; behaves like a numpy array as far as a graph can express it."""

    __array_priority__ = 1000.0
    graph: GraphBuilder
    dispatch: ClassVar[Dispatch]
    """Set by the module `array_functions`."""

    def __init__(
        self,
        graph: GraphBuilder,
        name: str,
        ghost: Any,
        origin: Origin = (),
        jumps: Thresholds | None = None,
        owned: bool = True,
    ) -> None:
        self.graph, self.name, self.ghost, self.origin, self.owned = graph, name, ghost, origin, owned
        self.jumps: Thresholds = {} if jumps is None else jumps
        self.missing: str | None = None
        self.view_of: tuple[Any, Any] | None = None

    def made(self, name: str, ghost: Any, origin: Origin = (), owned: bool = True) -> Any:
        """Returns another value of the same graph."""
        return Symbol(self.graph, name, ghost, origin, self.jumps, owned)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The type that the function receives at run time, for its `isinstance` checks."""
        import numpy as np

        return np.ndarray

    @property
    def dtype(self) -> Any:
        return self.ghost.dtype

    @property
    def ndim(self) -> int:
        return int(self.ghost.ndim)

    @property
    def shape(self) -> tuple[Any, ...]:
        return (Rows(), *self.ghost.shape[1:])

    @property
    def rest(self) -> tuple[int, ...]:
        """The dimensions after the row axis."""
        return tuple(int(size) for size in self.ghost.shape[1:])

    @property
    def size(self) -> int:
        return Rows().__index__()

    @property
    def T(self) -> Any:
        raise Unsupported("it transposes rows and columns (.T)")

    def __len__(self) -> int:
        return Rows().__index__()

    def __iter__(self) -> Any:
        raise Unsupported("it loops over the rows; write it for whole columns")

    __bool__ = __float__ = __int__ = __complex__ = __index__ = _number
    __hash__ = object.__hash__

    def __array__(self, *arguments: Any, **named: Any) -> Any:
        raise Unsupported("it passes the array to code that cannot be traced")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if method != "__call__":
            raise Unsupported(f"numpy.{ufunc.__name__}.{method} has no graph")
        unknown = sorted(set(named) - {"casting", "order", "subok"})
        if unknown:
            raise Unsupported(f"numpy.{ufunc.__name__} with {unknown[0]}= has no graph")
        return self.dispatch.ufunc(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, arguments: Any, named: Any) -> Any:
        return self.dispatch.function(function, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.dispatch.method(self, name)

    def __getitem__(self, key: Any) -> Any:
        return self.dispatch.pick(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.dispatch.put(self, key, value)

    def become(self, other: Any) -> None:
        """Replaces this value by the other one, and writes it through to the array of which this is a view."""
        if self.view_of is not None:
            whole, key = self.view_of
            whole[key] = other
        elif not self.owned:
            raise Unsupported("it changes its input in place: work on a copy (X = X.copy())")
        self.name, self.ghost, self.origin = other.name, other.ghost, other.origin

    def cast(self, dtype: Any) -> str:
        """Returns the name of the value converted to another numpy type."""
        have, want = kind_of(self.dtype, self.graph), kind_of(dtype, self.graph)
        if have == want:
            return self.name
        if "string" in (have, want):
            raise Unsupported("it converts text to numbers, or numbers to text")
        if want == "bool":
            return self.graph.op("Not", self.graph.op("Equal", self.name, self.graph.const(0, have)))
        return self.graph.op("Cast", self.name, to=_onnx_type(want))

    def astype(self, dtype: Any, *order: Any, **named: Any) -> Any:
        """Returns the value converted to another type."""
        ghost = self.ghost.astype(dtype)
        same = ghost.dtype.kind == "f" or ghost.dtype == self.dtype
        return self.made(self.cast(ghost.dtype), ghost, self.origin if same else ())


for _name, _ufunc in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "matmul": "matmul",
}.items():
    setattr(Symbol, f"__{_name}__", _operator(_ufunc))
    setattr(Symbol, f"__r{_name}__", _operator(_ufunc, swapped=True))
    setattr(Symbol, f"__i{_name}__", _changing(_ufunc))
for _name, _ufunc in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    setattr(Symbol, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in {"eq": "equal", "ne": "not_equal"}.items():
    setattr(Symbol, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
    setattr(Symbol, f"__{_name}__", _unary(_ufunc))


def is_symbol(value: Any) -> bool:
    """Returns whether the value is a symbolic array, whatever its `__class__` claims."""
    return issubclass(type(value), Symbol)


def first(values: Sequence[Any]) -> Any:
    """Returns the first symbol among the values."""
    return next(value for value in values if is_symbol(value))


def ghost_of(value: Any) -> Any:
    """Returns the array that numpy computes shapes and types with."""
    if is_symbol(value):
        return value.ghost
    if isinstance(value, (list, tuple)) and any(map(is_symbol, value)):
        return [ghost_of(v) for v in value]
    return value
