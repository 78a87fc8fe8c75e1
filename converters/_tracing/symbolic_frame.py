"""A symbolic data frame: its columns by name, each a symbolic array of one dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder, Value
from ..spec import Unsupported
from .array_functions import call, column_stack
from .indexing import filled
from .reductions import REDUCTIONS
from .symbolic_array import MIXES, Origin, Symbol, Thresholds, is_symbol, kind_of, numpy_type
from .symbolic_dates import PER_SECOND, moments, zoned
from .symbolic_series import OF_COLUMNS, Column, filled_up, plain
from .ufuncs import elementwise

_SKIPPING = {"sum": "nansum", "mean": "nanmean", "min": "nanmin", "max": "nanmax"}
"""pandas skips missing cells where numpy does not."""


class Table(Symbol):
    """A symbolic data frame; `columns_`: its columns by name, in order."""

    def __init__(self, columns: Mapping[str, Any], owned: bool = True) -> None:
        import numpy as np

        one = next(iter(columns.values()))
        dtypes = [c.ghost.dtype for c in columns.values()]
        dtype = np.dtype(object) if any(d.kind in "Mm" for d in dtypes) else np.result_type(*dtypes)
        super().__init__(one.graph, "", np.zeros((0, len(columns)), dtype), (), one.jumps, owned)
        self.columns_ = dict(columns)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The type that the function receives at run time."""
        import pandas as pd

        return pd.DataFrame

    @property
    def columns(self) -> Any:
        import pandas as pd

        return pd.Index(list(self.columns_))

    @property
    def index(self) -> Any:
        return _Index()

    @property
    def values(self) -> Any:
        return self.to_numpy()

    @property
    def iloc(self) -> Any:
        return _Located(self, by_name=False)

    @property
    def loc(self) -> Any:
        return _Located(self, by_name=True)

    def parts(self) -> tuple[Frame, Origin]:
        """Returns the columns as a frame of the graph, and the input column that each one equals."""
        return tuple(map(_value, self.columns_.values())), tuple(
            c.origin[0] if c.origin else None for c in self.columns_.values()
        )

    def to_numpy(self, dtype: Any = None, **named: Any) -> Any:
        """Returns the columns as one array."""
        if any(c.dtype.kind in "OMm" for c in self.columns_.values()):
            raise Unsupported("it puts numbers and text or dates into one array: select the numeric columns first")
        array = column_stack([c.values for c in self.columns_.values()])
        return array if dtype is None else array.astype(dtype)

    def cast(self, dtype: Any) -> str:
        """Returns the name of the columns as one matrix, converted to another numpy type."""
        return str(self.to_numpy().cast(dtype))

    def astype(self, dtype: Any, *order: Any, **named: Any) -> Any:
        """Returns the columns converted to one type, or each to its own."""
        own = dtype if isinstance(dtype, Mapping) else dict.fromkeys(self.columns_, dtype)
        return Table({n: c.astype(own[n]) if n in own else c for n, c in self.columns_.items()})

    def each(self, function: Callable[[Any], Any]) -> Any:
        """Returns a frame of the function's result for each column."""
        return Table({name: function(column) for name, column in self.columns_.items()})

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        if method != "__call__" or named or any(is_symbol(v) and type(v) is not Table for v in inputs):
            raise Unsupported(f"numpy.{ufunc.__name__} of a data frame and another value has no graph")
        if ufunc.__name__ == "matmul":
            return elementwise(ufunc, [v.to_numpy() if type(v) is Table else v for v in inputs])
        spread = [_spread(v, list(self.columns_)) for v in inputs]
        return Table({n: ufunc(*(v[n] for v in spread)) for n in self.columns_})

    def __array_function__(self, function: Any, types: Any, arguments: Any, named: Any) -> Any:
        if type(arguments[0]) is Table and function.__name__ in _OF_TABLES:
            return _OF_TABLES[function.__name__](*arguments, **named)
        return call(function, [_as_array(a) for a in arguments], {k: _as_array(v) for k, v in named.items()})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.startswith("_"):
            raise Unsupported("it passes the data frame to code that cannot be traced")
        if name in _OF_TABLES:
            return lambda *a, **k: _OF_TABLES[name](self, *a, **k)
        own = self.__dict__.get("columns_", {})
        if name in own:
            return own[name]
        raise AttributeError(f"the method .{name} of a data frame has no graph")

    def __getitem__(self, key: Any) -> Any:
        if is_symbol(key):
            raise Unsupported("it selects rows by their values (df[mask]): use np.where")
        if isinstance(key, str):
            return self._one(key)
        return Table({str(name): self._one(str(name)) for name in list(key)})

    def _one(self, name: str) -> Any:
        if name not in self.columns_:
            raise Unsupported(f"there is no column {name!r}; the columns are {', '.join(self.columns_)}")
        return self.columns_[name]

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self.owned:
            raise Unsupported("it changes its input in place: work on a copy (df = df.copy())")
        names = [key] if isinstance(key, str) else [str(k) for k in key]
        whole = self.columns_[next(iter(self.columns_))]
        for name in names:
            given = _spread(value, names)[name] if len(names) > 1 else value
            given = given.columns_[next(iter(given.columns_))] if type(given) is Table else given
            self.columns_[name] = _as_column(given, whole)
        Symbol.__init__(self, self.graph, "", Table(self.columns_).ghost, (), self.jumps, True)


class _Located:
    """`df.loc[:, names]` and `df.iloc[:, positions]`."""

    def __init__(self, table: Any, by_name: bool) -> None:
        self._table, self._by_name = table, by_name

    def __getitem__(self, key: Any) -> Any:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None)):
            raise Unsupported("it selects rows: only whole columns can be selected, as df.iloc[:, i]")
        names = list(self._table.columns_)
        if self._by_name:
            return self._table[key[1]]
        picked = names[key[1]] if isinstance(key[1], (int, slice)) else [names[int(i)] for i in key[1]]
        return self._table[picked]


def table(frame: Frame, names: Sequence[str], graph: GraphBuilder, jumps: Thresholds) -> Table:
    """Returns the frame as a data frame with these columns."""
    import numpy as np

    values = graph.columns(frame)
    if len(values) != len(names):
        raise Unsupported(f"it was fitted on {len(names)} columns and receives {len(values)}")
    columns = {}
    for i, (name, value) in enumerate(zip(names, values)):
        ghost = np.zeros(0, numpy_type(value.dtype))
        typed = graph.cast(value, kind_of(ghost.dtype, graph))
        flat = graph.op("Reshape", typed.name, graph.const([-1], "int64"))
        columns[name] = Column(graph, flat, ghost, (i,), jumps, owned=False)
        if value.unit:
            columns[name] = _dates(columns[name], value.unit)
        columns[name].source, columns[name].missing = value, value.missing
    return Table(columns, owned=False)


def framed(columns: Mapping[str, Any], *rest: Any, index: Any = None, **named: Any) -> Table:
    """Returns a new data frame of these columns."""
    plain(named)
    if rest or not (index is None or type(index) is _Index):
        raise Unsupported("pandas.DataFrame with an index of its own has no graph")
    whole = next(c for c in columns.values() if is_symbol(c))
    return Table({str(name): _as_column(c, whole) for name, c in columns.items()})


class _Index:
    """`df.index`, which stands for the rows in their order."""


def _dates(column: Any, unit: str) -> Any:
    """Returns the column as dates; dates in a time zone other than UTC have no graph."""
    unit, _, zone = unit.partition(", ")
    if unit not in PER_SECOND or zone not in ("", "UTC"):
        return zoned(column, zone)
    return moments(column, column.name, unit)


def _value(column: Any) -> Value:
    source: Value | None = getattr(column, "source", None)
    if source is not None:
        return source
    name = column.graph.op("Reshape", column.name, column.graph.const([-1, 1], "int64"))
    return Value(name, kind_of(column.dtype, column.graph))


def _as_column(value: Any, like: Any) -> Any:
    if not is_symbol(value):
        return filled(like, value, type(value))
    if value.dtype.kind in "Mm":
        return value
    if value.ndim != 1:
        raise Unsupported(f"it makes a column of {value.ndim} dimensions: {MIXES}")
    found = Column(value.graph, value.name, value.ghost, value.origin, value.jumps)
    found.source, found.missing = getattr(value, "source", None), value.missing
    return found


def _as_array(value: Any) -> Any:
    if type(value) is Table:
        return value.to_numpy()
    return [_as_array(v) for v in value] if isinstance(value, (list, tuple)) else value


def _spread(value: Any, names: Sequence[str]) -> dict[str, Any]:
    """Returns one operand per column."""
    import numpy as np

    if type(value) is Table:
        if list(value.columns_) != list(names):
            raise Unsupported("it combines two data frames with different columns")
        return value.columns_
    if is_symbol(value):
        raise Unsupported("it combines a data frame with an array: use .to_numpy() first")
    if np.ndim(value) == 0:
        return dict.fromkeys(names, value)
    if np.shape(value) != (len(names),):
        raise Unsupported(f"it combines a data frame of {len(names)} columns with shape {np.shape(value)}")
    return dict(zip(names, np.asarray(value)))


def _applied(whole: Any, function: Any, axis: Any = 0, **named: Any) -> Any:
    if axis not in (0, "index"):
        raise Unsupported("it calls a Python function on each row (.apply(axis=1)): write it for whole columns")
    return whole.each(lambda column: function(column, **named))


def _assigned(whole: Any, **columns: Any) -> Any:
    found = Table(whole.columns_)
    for name, value in columns.items():
        found[name] = value(found) if callable(value) and not is_symbol(value) else value
    return found


def _dropped(whole: Any, labels: Any = None, axis: Any = 0, columns: Any = None, **named: Any) -> Any:
    plain(named)
    names = columns if columns is not None else labels if axis in (1, "columns") else None
    if names is None:
        raise Unsupported(f"it drops rows; {MIXES}")
    gone = {names} if isinstance(names, str) else set(names)
    return whole[[n for n in whole.columns_ if n not in gone]]


def _renamed(whole: Any, columns: Any = None, **named: Any) -> Any:
    plain(named)
    turn = columns if callable(columns) else lambda n: (columns or {}).get(n, n)
    return Table({turn(n): c for n, c in whole.columns_.items()})


def _each_filled(whole: Any, value: Any = None, **named: Any) -> Any:
    plain(named)
    own = value if isinstance(value, Mapping) else dict.fromkeys(whole.columns_, value)
    return Table({n: filled_up(c, own[n]) if n in own else c for n, c in whole.columns_.items()})


def _over_row(name: str) -> Callable[..., Any]:
    def reduced(whole: Any, axis: Any = 0, skipna: bool = True, **named: Any) -> Any:
        if axis not in (1, "columns"):
            raise Unsupported(f".{name}() over the rows: {MIXES}; only axis=1 has a graph")
        array = whole.to_numpy()
        skips = skipna and name in _SKIPPING and array.dtype.kind == "f"
        found = REDUCTIONS[_SKIPPING[name] if skips else name](array, axis=1, **named)
        return Column(found.graph, found.name, found.ghost, (), found.jumps)

    return reduced


def _per_column(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda whole, *a, **k: whole.each(lambda column: function(column, *a, **k))


_OF_TABLES: dict[str, Callable[..., Any]] = {
    **{name: _per_column(OF_COLUMNS[name]) for name in ("abs", "clip", "isna", "isnull", "notna", "notnull", "round")},
    **{name: _over_row(name) for name in ("sum", "mean", "min", "max", "any", "all")},
    "apply": _applied,
    "assign": _assigned,
    "copy": lambda whole, *a, **k: Table(whole.columns_),
    "drop": _dropped,
    "fillna": _each_filled,
    "pipe": lambda whole, function, *a, **k: function(whole, *a, **k),
    "rename": _renamed,
}

OF_COLUMNS["to_frame"] = lambda column, name="0": Table({str(name): column})
