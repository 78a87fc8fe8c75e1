"""Symbolic columns of dates, times and time spans.

Their values are integers in a unit, as in pandas: since 1970, or a length; the smallest int64 is a missing value.
The calendar is Gregorian for all years, as in numpy. Counting days from 1 March makes leap days the last of a year.
"""

from __future__ import annotations

from typing import Any, Callable

from .._graph.arithmetic import Wholes
from .._graph.builder import GraphBuilder
from ..spec import NOT_A_TIME, Unsupported
from .symbolic_array import is_symbol
from .symbolic_series import Column

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY = 86400


class _Whole(Wholes):
    """int64 arithmetic with constants."""

    def __init__(self, graph: GraphBuilder) -> None:
        super().__init__(graph, "int64")

    def plus(self, x: str, number: int) -> str:
        return self.add(x, self.n(number))

    def times(self, x: str, number: int) -> str:
        return x if number == 1 else self.multiply(x, self.n(number))

    def over(self, x: str, number: int) -> str:
        """Divides, rounding down."""
        return x if number == 1 else self.floor_divide(x, self.n(number))

    def past(self, x: str, number: int) -> str:
        """Returns the remainder, never below 0."""
        return self.subtract(x, self.times(self.over(x, number), number))


class Moments(Column):
    """Integers in the unit `unit`; `span`: a length of time instead of a point in time."""

    unit = "ns"
    span = False

    @property
    def dt(self) -> Any:
        return _Parts(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        worked = _OPERATIONS.get(ufunc.__name__)
        if method != "__call__" or named or worked is None or len(inputs) != 2:
            raise Unsupported(f"numpy.{ufunc.__name__} of dates has no graph")
        return worked(*inputs)

    def __getattr__(self, name: str) -> Any:
        if name in ("isna", "isnull"):
            return lambda: _flags(self, self.gone())
        if name in ("notna", "notnull"):
            return lambda: _flags(self, self.graph.op("Not", self.gone()))
        if name == "copy":
            return lambda deep=True: self
        if name.startswith("__"):
            raise AttributeError(name)
        raise Unsupported(f".{name} of a column of dates has no graph; {_KNOWN}")

    @property
    def values(self) -> Any:
        raise Unsupported(f"a column of dates as an array has no graph; {_KNOWN}")

    def to_numpy(self, dtype: Any = None, **named: Any) -> Any:
        return self.values

    def astype(self, dtype: Any, *order: Any, **named: Any) -> Any:
        raise Unsupported(f"a column of dates in another type has no graph; {_KNOWN}")

    def gone(self) -> str:
        """Returns the mask of missing values."""
        return self.graph.op("Equal", self.name, self.graph.const(NOT_A_TIME, "int64"))


def moments(like: Any, name: str, unit: str, span: bool = False) -> Any:
    """Returns a column of dates, or of spans; `like`: any value of the same graph."""
    import numpy as np

    ghost = np.zeros(0, f"{'timedelta64' if span else 'datetime64'}[{unit}]")
    found = Moments(like.graph, name, ghost, (), like.jumps, owned=False)
    found.unit, found.span = unit, span
    return found


class _Zoned(Column):
    """Dates in a time zone, whose rules no graph contains."""

    zone = ""

    @property
    def dt(self) -> Any:
        raise Unsupported(
            f"its dates are in the time zone {self.zone}, which has no graph: convert them to UTC "
            "(.dt.tz_convert('UTC')) or drop the zone (.dt.tz_localize(None)) before the fit"
        )


def zoned(column: Any, zone: str) -> Any:
    """Returns the column as dates in a time zone."""
    import numpy as np

    found = _Zoned(column.graph, column.name, np.zeros(0, "datetime64[ns]"), (), column.jumps, owned=False)
    found.zone = zone
    return found


def _flags(column: Any, name: str) -> Any:
    import numpy as np

    return Column(column.graph, name, np.zeros(0, bool), (), column.jumps)


def _numbers(column: Any, whole: str) -> Any:
    """Converts integers to floats, as pandas does: NaN where the date is missing."""
    graph = column.graph
    return _reals(column, graph.op("Cast", whole, to=_DOUBLE))


def _reals(column: Any, doubles: str) -> Any:
    import numpy as np

    graph = column.graph
    found = graph.op("Where", column.gone(), graph.const(np.nan, "float64"), doubles)
    if graph.real == "float32":
        found = graph.op("Cast", found, to=_FLOAT)
    return Column(graph, found, np.zeros(0), (), column.jumps)


_DOUBLE, _FLOAT = 11, 1


class _Parts:
    """`Series.dt`."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __getattr__(self, name: str) -> Any:
        column, parts = self._column, _OF_SPANS if self._column.span else _OF_DATES
        if name == "total_seconds" and column.span:
            return lambda: _divided(column, PER_SECOND[column.unit])
        if name == "normalize" and not column.span:
            return lambda: _at_midnight(column)
        if name not in parts:
            known = ", ".join(sorted(parts))
            raise Unsupported(f".dt.{name} has no graph; supported: {known}")
        return _numbers(column, parts[name](_Whole(column.graph), column.name, PER_SECOND[column.unit]))


Part = Callable[[_Whole, str, int], str]
"""Computes a part of a date or span; the integer is the number of units in a second."""


def _days(whole: _Whole, x: str, second: int) -> str:
    return whole.over(x, DAY * second)


def _within_day(whole: _Whole, x: str, second: int) -> str:
    return whole.past(x, DAY * second)


def _of_day(unit: int, most: int) -> Part:
    """Returns the part that counts units of `unit` seconds within the day, from 0 to below `most`."""
    return lambda whole, x, second: whole.past(whole.over(_within_day(whole, x, second), unit * second), most)


def _fraction(size: int, most: int) -> Part:
    """Returns the part that counts fractions of a second, `size` to the second."""

    def part(whole: _Whole, x: str, second: int) -> str:
        left = whole.past(x, second)
        fine = whole.times(left, max(size // second, 1))
        return whole.past(whole.over(fine, max(second // size, 1)), most)

    return part


class _Civil:
    """The day in the calendar. `year` begins in March; `day`: of that year, from 0; `month`: of that year, from 0."""

    def __init__(self, whole: _Whole, x: str, second: int) -> None:
        self.whole = whole
        shifted = whole.plus(_days(whole, x, second), 719468)
        era = whole.over(shifted, 146097)
        day = whole.subtract(shifted, whole.times(era, 146097))
        leaps = whole.add(whole.subtract(day, whole.over(day, 1460)), whole.over(day, 36524))
        year = whole.over(whole.subtract(leaps, whole.over(day, 146096)), 365)
        before = whole.subtract(whole.add(whole.times(year, 365), whole.over(year, 4)), whole.over(year, 100))
        self.day = whole.subtract(day, before)
        self.year = whole.add(year, whole.times(era, 400))
        self.month = whole.over(whole.plus(whole.times(self.day, 5), 2), 153)

    def is_late(self) -> str:
        """Returns whether the day is in January or February."""
        return self.whole.op("Greater", self.month, self.whole.n(9))

    def shifted(self, x: str, early: int, late: int) -> str:
        return self.whole.add(x, self.whole.where(self.is_late(), self.whole.n(late), self.whole.n(early)))


def _year(whole: _Whole, x: str, second: int) -> str:
    civil = _Civil(whole, x, second)
    return civil.shifted(civil.year, 0, 1)


def _month(whole: _Whole, x: str, second: int) -> str:
    civil = _Civil(whole, x, second)
    return civil.shifted(civil.month, 3, -9)


def _day(whole: _Whole, x: str, second: int) -> str:
    civil = _Civil(whole, x, second)
    before = whole.over(whole.plus(whole.times(civil.month, 153), 2), 5)
    return whole.plus(whole.subtract(civil.day, before), 1)


def _quarter(whole: _Whole, x: str, second: int) -> str:
    return whole.plus(whole.over(whole.plus(_month(whole, x, second), -1), 3), 1)


def _day_of_year(whole: _Whole, x: str, second: int) -> str:
    civil = _Civil(whole, x, second)
    days = civil.shifted(civil.day, 60, -305)
    year = _year(whole, x, second)
    leaps = [whole.op("Equal", whole.past(year, n), whole.n(0)) for n in (4, 100, 400)]
    leap = whole.op("Or", whole.op("And", leaps[0], whole.op("Not", leaps[1])), leaps[2])
    counts = whole.op("And", leap, whole.op("Not", civil.is_late()))
    return whole.add(days, whole.op("Cast", counts, to=7))


def _weekday(whole: _Whole, x: str, second: int) -> str:
    """Returns the weekday, 0 for Monday; 1 January 1970 was a Thursday."""
    return whole.past(whole.plus(_days(whole, x, second), 3), 7)


_OF_DATES: dict[str, Part] = {
    "year": _year,
    "month": _month,
    "day": _day,
    "quarter": _quarter,
    **dict.fromkeys(("dayofyear", "day_of_year"), _day_of_year),
    **dict.fromkeys(("weekday", "dayofweek", "day_of_week"), _weekday),
    "hour": _of_day(3600, 24),
    "minute": _of_day(60, 60),
    "second": _of_day(1, 60),
    "microsecond": _fraction(10**6, 10**6),
    "nanosecond": _fraction(10**9, 1000),
}
_OF_SPANS: dict[str, Part] = {
    "days": _days,
    "seconds": _of_day(1, DAY),
    "microseconds": _fraction(10**6, 10**6),
    "nanoseconds": _fraction(10**9, 1000),
}
_KNOWN = "use its parts (.dt.year, .dt.month, …), its difference from a constant date, or a comparison with one"


def _at_midnight(column: Any) -> Any:
    whole, day = _Whole(column.graph), DAY * PER_SECOND[column.unit]
    midnight = whole.times(whole.over(column.name, day), day)
    return moments(column, whole.where(column.gone(), column.name, midnight), column.unit)


def _divided(column: Any, by: int) -> Any:
    """Returns the true quotient in double, as numpy divides int64."""
    graph = column.graph
    doubles = graph.op("Cast", column.name, to=_DOUBLE)
    return _reals(column, graph.op("Div", doubles, graph.const(float(by), "float64")))


def _known(value: Any) -> tuple[int, str, bool]:
    """Returns a date or a span as an integer, its unit, and whether it is a span."""
    import numpy as np
    import pandas as pd

    span = isinstance(value, (pd.Timedelta, np.timedelta64)) or type(value).__name__ == "timedelta"
    try:
        found = pd.Timedelta(value) if span else pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise Unsupported(f"it combines dates with {value!r}: {error}") from error
    if found is pd.NaT:
        raise Unsupported("it combines dates with a missing date")
    return int(found.asm8.astype(np.int64)), str(found.unit), span


def _operand(value: Any, graph: GraphBuilder) -> tuple[str, str, bool, Any]:
    """Returns the name, the unit, whether it is a span, and the column (None for a constant)."""
    if isinstance_of(value):
        return value.name, value.unit, value.span, value
    if is_symbol(value):
        raise Unsupported("it combines dates with numbers")
    number, unit, span = _known(value)
    return graph.const(number, "int64"), unit, span, None


def isinstance_of(value: Any) -> bool:
    """Returns whether the value is a column of dates or spans, whatever its `__class__` claims."""
    return issubclass(type(value), Moments)


def _aligned(first: Any, second: Any) -> tuple[str, str, str, str, list[bool]]:
    """Returns both as integers of the finer unit, that unit, where either is missing, and which are spans."""
    graph = next(v for v in (first, second) if isinstance_of(v)).graph
    operands = [_operand(v, graph) for v in (first, second)]
    unit = max((o[1] for o in operands), key=lambda u: PER_SECOND[u])
    whole = _Whole(graph)
    names = [whole.times(name, PER_SECOND[unit] // PER_SECOND[own]) for name, own, _, _ in operands]
    gone = [column.gone() for *_, column in operands if column is not None]
    missing = gone[0] if len(gone) == 1 else graph.op("Or", *gone)
    return names[0], names[1], unit, missing, [o[2] for o in operands]


def _subtracted(first: Any, second: Any) -> Any:
    return _combined("Sub", first, second)


def _added(first: Any, second: Any) -> Any:
    return _combined("Add", first, second)


def _combined(op: str, first: Any, second: Any) -> Any:
    x, y, unit, missing, spans = _aligned(first, second)
    like = next(v for v in (first, second) if isinstance_of(v))
    fits = spans != [True, False] if op == "Sub" else any(spans)
    if not fits:
        raise Unsupported("it adds or subtracts dates and spans in a way that has no meaning")
    found = like.graph.op(op, x, y)
    found = like.graph.op("Where", missing, like.graph.const(NOT_A_TIME, "int64"), found)
    return moments(like, found, unit, spans[0] == spans[1])


def _over(first: Any, second: Any) -> Any:
    """Divides a span by a constant span."""
    if not isinstance_of(first) or not first.span or is_symbol(second):
        raise Unsupported("only a span divided by a constant span has a graph")
    number, unit, span = _known(second)
    scale = PER_SECOND[first.unit]
    if not span or number * scale % PER_SECOND[unit]:
        raise Unsupported("only a span divided by a constant span of whole units has a graph")
    return _divided(first, number * scale // PER_SECOND[unit])


def _compared(op: str, negated: bool = False) -> Callable[[Any, Any], Any]:
    def compare(first: Any, second: Any) -> Any:
        x, y, _, missing, spans = _aligned(first, second)
        like = next(v for v in (first, second) if isinstance_of(v))
        if spans[0] != spans[1]:
            raise Unsupported("it compares a date with a span")
        graph = like.graph
        found = graph.op("And", graph.op(op, x, y), graph.op("Not", missing))
        return _flags(like, graph.op("Not", found) if negated else found)

    return compare


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "subtract": _subtracted,
    "add": _added,
    "divide": _over,
    "true_divide": _over,
    "less": _compared("Less"),
    "less_equal": _compared("LessOrEqual"),
    "greater": _compared("Greater"),
    "greater_equal": _compared("GreaterOrEqual"),
    "equal": _compared("Equal"),
    "not_equal": _compared("Equal", negated=True),
}
