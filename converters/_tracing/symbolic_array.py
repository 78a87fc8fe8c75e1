"""An array that stands for rows to come: what is done with it is written down as nodes of a graph.

Its first axis is the rows, whose number is not known. Beside the name of its value it has a *ghost*, an array of no
rows: numpy itself says on ghosts which type and shape an operation gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, ClassVar

from .._graph.builder import GraphBuilder, _onnx_type
from ..spec import Unsupported

Thresholds = dict[int, set[float]]
Origin = tuple[Any, ...]
"""Per column the input column that it is, unchanged; None where it is not."""

MIXES = "it mixes rows: what one row gives would depend on the others"


class Rows:
    """The number of rows, which a graph does not know."""

    def __index__(self) -> int:
        raise Unsupported("it uses the number of rows as a number (np.ones_like and reshape(-1, …) do not)")

    __int__ = __float__ = __bool__ = __len__ = __index__
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return bool(self.__index__())

    def _refuse(self, other: object) -> int:
        return self.__index__()

    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = _refuse
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = _refuse


class Rehearsal(GraphBuilder):
    """A graph that is never used: a function is followed through it before the types of its columns are known."""


def kind_of(dtype: Any, graph: GraphBuilder) -> str:
    """The type in the graph of what numpy holds as `dtype`."""
    kinds = {"float64": graph.real, "float32": "float32", "int64": "int64", "int32": "int32", "bool": "bool"}
    if dtype.kind in "OUST":
        return "string"
    if dtype.name not in kinds:
        raise Unsupported(f"it makes numbers of type {dtype}: float64, float32, int64, int32 and bool have a graph")
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
    raise Unsupported("it takes one number out of an array (float(), int(), or an `if` on values: use np.where)")


class Symbol:
    """Rows to come; behaves like a numpy array as far as a graph can follow."""

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
        """Another value of the same graph."""
        return Symbol(self.graph, name, ghost, origin, self.jumps, owned)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What the function would be given in earnest, for its `isinstance`."""
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
        """The shape behind the rows."""
        return tuple(int(size) for size in self.ghost.shape[1:])

    @property
    def size(self) -> int:
        return Rows().__index__()

    @property
    def T(self) -> Any:
        raise Unsupported("it turns rows into columns (.T)")

    def __len__(self) -> int:
        return Rows().__index__()

    def __iter__(self) -> Any:
        raise Unsupported("it goes over the rows one by one; write it for whole columns")

    __bool__ = __float__ = __int__ = __complex__ = __index__ = _number
    __hash__ = object.__hash__

    def __array__(self, *arguments: Any, **named: Any) -> Any:
        raise Unsupported("it hands the array to something that no graph can follow")

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
        """Nothing; from here on this is the other value."""
        if self.view_of is not None:
            whole, key = self.view_of
            whole[key] = other
        elif not self.owned:
            raise Unsupported("it changes its input in place: work on a copy (X = X.copy())")
        self.name, self.ghost, self.origin = other.name, other.ghost, other.origin

    def cast(self, dtype: Any) -> str:
        """The name of the value in another of numpy's types."""
        have, want = kind_of(self.dtype, self.graph), kind_of(dtype, self.graph)
        if have == want:
            return self.name
        if "string" in (have, want):
            raise Unsupported("it makes numbers of text, or text of numbers")
        if want == "bool":
            return self.graph.op("Not", self.graph.op("Equal", self.name, self.graph.const(0, have)))
        return self.graph.op("Cast", self.name, to=_onnx_type(want))

    def astype(self, dtype: Any, *order: Any, **named: Any) -> Any:
        """The value in another type."""
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
    """Whether the value stands for rows to come, whatever its class says."""
    return issubclass(type(value), Symbol)


def first(values: Sequence[Any]) -> Any:
    """The first symbol of these."""
    return next(value for value in values if is_symbol(value))


def ghost_of(value: Any) -> Any:
    """What numpy calculates shapes and types with."""
    if is_symbol(value):
        return value.ghost
    if isinstance(value, (list, tuple)) and any(map(is_symbol, value)):
        return [ghost_of(v) for v in value]
    return value
