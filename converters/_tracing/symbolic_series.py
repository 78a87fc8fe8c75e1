"""A symbolic series: one column of a symbolic data frame, with the methods of a series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from .._graph.builder import Value
from ..spec import Unsupported
from .array_functions import clip, copied, isin, rounded, where
from .indexing import filled
from .symbolic_array import Origin, Symbol, ghost_of, is_symbol


class Column(Symbol):
    """A series; `source`: the unchanged column of the input frame that it equals."""

    source: Value | None = None

    def made(self, name: str, ghost: Any, origin: Origin = (), owned: bool = True) -> Any:
        """Returns another value of the same graph, as a series where it has one dimension."""
        if ghost.ndim != 1:
            return super().made(name, ghost, origin, owned)
        found = Column(self.graph, name, ghost, origin, self.jumps, owned)
        if name == self.name and ghost.dtype == self.dtype:
            found.source, found.missing = self.source, self.missing
        return found

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The type that the function receives at run time."""
        import pandas as pd

        return pd.Series

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        divides = ufunc.__name__ in ("floor_divide", "remainder")
        if divides and all(ghost_of(v).dtype.kind in "iub" for v in inputs if is_symbol(v)) and is_symbol(inputs[1]):
            raise Unsupported("pandas and numpy differ on integer division by 0: convert to float first")
        return super().__array_ufunc__(ufunc, method, *inputs, **named)

    def __getattr__(self, name: str) -> Any:
        if name in OF_COLUMNS:
            return lambda *a, **k: OF_COLUMNS[name](self, *a, **k)
        return super().__getattr__(name)

    @property
    def values(self) -> Any:
        return Symbol(self.graph, self.name, self.ghost, self.origin, self.jumps, owned=False)

    def to_numpy(self, dtype: Any = None, **named: Any) -> Any:
        """Returns the column as an array."""
        return self.values if dtype is None else self.values.astype(dtype)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"):
    setattr(Column, f"__i{_name}__", getattr(Symbol, f"__{_name}__"))  # as in pandas, which makes a new series


def plain(named: Mapping[str, Any]) -> None:
    """Raises `Unsupported` for arguments of a pandas method that no graph can express, such as `inplace=True`."""
    other = sorted(k for k, v in named.items() if v)
    if other:
        raise Unsupported(f"a method of pandas with {other[0]}= has no graph")


def filled_up(column: Any, value: Any = None, **named: Any) -> Any:
    """`Series.fillna` with a constant."""
    plain(named)
    import numpy as np

    return where(np.isnan(column), value, column) if column.dtype.kind == "f" else column


def _gone(column: Any) -> Any:
    import numpy as np

    if column.dtype.kind != "O":
        return np.isnan(column)
    found = column.graph.op("Equal", column.name, column.graph.const([column.missing or ""], "string"))
    return column.made(found, np.zeros(0, bool))


def _there(column: Any) -> Any:
    import numpy as np

    return np.logical_not(_gone(column))


def _between(column: Any, left: Any, right: Any, inclusive: str = "both") -> Any:
    import numpy as np

    low = column >= left if inclusive in ("both", "left") else column > left
    return np.logical_and(low, column <= right if inclusive in ("both", "right") else column < right)


def _mapped(column: Any, known: Any) -> Any:
    import numpy as np

    if not isinstance(known, Mapping):
        if isinstance(known, np.ufunc):
            return known(column)
        raise Unsupported("it calls a Python function on each cell (.map, .apply): write it for the whole column")
    found = filled(column, np.nan, float)
    for key, value in known.items():
        found = where(column == key, value, found)
    return found


OF_COLUMNS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "between": _between,
    "clip": lambda c, lower=None, upper=None: clip(c, lower, upper),
    "copy": copied,
    "fillna": filled_up,
    "isin": isin,
    "isna": _gone,
    "isnull": _gone,
    "notna": _there,
    "notnull": _there,
    "map": _mapped,
    "apply": _mapped,
    "mask": lambda c, test, other=float("nan"): where(test, other, c),
    "where": lambda c, test, other=float("nan"): where(test, c, other),
    "round": rounded,
}
