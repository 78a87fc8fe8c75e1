"""Formula expressions as nodes: R's row-wise functions, under R's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..._graph.floats import Reals
from ..._graph.set_membership import INT64
from ...spec import Unsupported
from .columns import Columns
from .form import Fields

if TYPE_CHECKING:
    import numpy as np


class Expressions:
    """Expressions on the columns of one model; all values are `float64 [N, width]`, logicals 0 and 1."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.graph = columns.graph
        self.maths = Reals(columns.graph, "float64")

    def value(self, e: Fields) -> str:
        """Returns the value of an expression."""
        made: Callable[[Fields], str] | None = getattr(self, f"_{e.text('op')}", None)
        if made is None:
            raise Unsupported(f"the formula contains {e.text('op')!r}, which is not numeric")
        return made(e)

    def _column(self, e: Fields) -> str:
        return self.columns.number(e.text("name"))

    def _number(self, e: Fields) -> str:
        return self.graph.const(e.numbers("value").reshape(1, -1))

    def _poly(self, e: Fields) -> str:
        """Builds orthogonal polynomials by R's recurrence."""
        import numpy as np

        m, x = self.maths, self.value(e.of("x"))
        alpha, norm2 = e.numbers("alpha"), e.numbers("norm2")
        terms = [m.subtract(x, m.n(alpha[0]))]
        for i in range(1, len(alpha)):
            before = terms[i - 2] if i > 1 else m.n(1.0)
            shifted = m.multiply(m.subtract(x, m.n(alpha[i])), terms[i - 1])
            terms.append(m.subtract(shifted, m.multiply(m.n(norm2[i + 1] / norm2[i]), before)))
        return m.divide(self._beside(terms), self.graph.const(np.sqrt(norm2[2:]).reshape(1, -1)))

    def _powers(self, e: Fields) -> str:
        x, terms = self.value(e.of("x")), []
        for power in range(1, int(e.number("degree")) + 1):
            terms.append(self._raised(x, float(power)))
        return self._beside(terms)

    def _beside(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.graph.op("Concat", *parts, axis=1)

    def _scale(self, e: Fields) -> str:
        m = self.maths
        moved = m.subtract(self.value(e.of("x")), m.n(e.number("center")))
        return m.divide(moved, m.n(e.number("scale")))

    def _pieces(self, e: Fields) -> str:
        return self.pieces(self.value(e.of("x")), e)

    def pieces(self, x: str, e: Fields) -> str:
        """Piecewise polynomials between `breaks`: `coefficients` piece x power x column, about each piece's origin;
        `ends`: the values at minus and plus infinity."""
        import numpy as np

        graph, m = self.graph, self.maths
        breaks, coefficients = e.numbers("breaks").reshape(1, -1), e.numbers("coefficients")
        behind = graph.op("Cast", graph.op("GreaterOrEqual", x, graph.const(breaks)), to=INT64)
        piece = graph.op("ReduceSum", behind, graph.const([1], "int64"), keepdims=0)
        origin = graph.op("Gather", graph.const(e.numbers("origins").reshape(-1, 1)), piece)
        u, total = m.subtract(x, origin), ""
        for power in reversed(range(coefficients.shape[1])):
            factors = graph.op("Gather", graph.const(np.ascontiguousarray(coefficients[:, power, :])), piece)
            total = m.add(m.multiply(total, u), factors) if total else factors
        if e.has("ends"):
            for end, row in zip((-float("inf"), float("inf")), e.numbers("ends"), strict=True):
                total = m.where(graph.op("Equal", x, m.n(end)), graph.const(row.reshape(1, -1)), total)
        return total

    def _call(self, e: Fields) -> str:
        name, arguments = e.text("name"), e.each("args")
        if name == "%in%":
            return self._within(arguments[0], arguments[1])
        if name in _TESTS and any(each.text("op") == "text" for each in arguments):
            return self._same_text(name, arguments)
        values = [self.value(each) for each in arguments]
        if name == "^" and arguments[1].text("op") == "number":
            return self._raised(values[0], arguments[1].number("value"))
        if name in ("-", "+") and len(values) == 1:
            return self.maths.negative(values[0]) if name == "-" else values[0]
        if name == "cbind":
            return self._beside(values)
        if name == "log" and len(values) == 2:
            return self.maths.divide(self.maths.log(values[0]), self.maths.log(values[1]))
        if name == "round" and len(values) == 2:
            raise Unsupported("round() with a number of digits has no converter")
        if name in _TESTS:
            return self.truth(self.graph.op(_TESTS[name], *values), *values)
        if name not in _FUNCTIONS:
            raise Unsupported(f"the function {name}() of the formula has no converter")
        return _FUNCTIONS[name](self, values)

    def truth(self, flag: str, *operands: str) -> str:
        """Returns a logical as 0 and 1; NaN where an operand is NaN."""
        found = self.graph.op("Cast", flag, to=_DOUBLE)
        for operand in operands:
            found = self.maths.where(self.graph.op("IsNaN", operand), self.maths.n(float("nan")), found)
        return found

    def _raised(self, x: str, power: float) -> str:
        if power == 2:
            return self.maths.square(x)
        found = self.maths.power(x, self.maths.n(power))
        if power == int(power):
            return found
        # in C, used here, minus infinity to a power is infinity
        endless = self.graph.op("Equal", x, self.maths.n(float("-inf")))
        return self.maths.where(endless, self.maths.n(float("nan")), found)

    def _cut(self, e: Fields) -> str:
        """Returns the code of the interval that contains a number, from 0; NaN where there is none."""
        graph, m = self.graph, self.maths
        x, breaks, right = self.value(e.of("x")), e.numbers("breaks"), e.flag("right", True)
        test = "Greater" if right else "GreaterOrEqual"
        above = graph.op("Cast", graph.op(test, x, graph.const(breaks.reshape(1, -1))), to=_DOUBLE)
        code = m.subtract(graph.op("ReduceSum", above, graph.const([1], "int64"), keepdims=1), m.n(1.0))
        last = float(len(breaks) - 2)
        if e.flag("lowest"):
            edge, inside = (breaks[0], 0.0) if right else (breaks[-1], last)
            code = m.where(graph.op("Equal", x, m.n(edge)), m.n(inside), code)
        none = graph.op("Or", graph.op("Less", code, m.n(0.0)), graph.op("Greater", code, m.n(last)))
        none = graph.op("Or", none, graph.op("IsNaN", x))
        return m.where(none, m.n(float("nan")), code)

    def _same_text(self, name: str, arguments: list[Fields]) -> str:
        """Compares with a text; only for equality."""
        texts = [each for each in arguments if each.text("op") == "text"]
        others = [each for each in arguments if each.text("op") == "column"]
        if name not in ("==", "!=") or len(texts) != 1 or len(others) != 1:
            raise Unsupported(f"the formula compares text with {name}, which has no converter")
        flag = self._is_any(others[0].text("name"), texts[0].texts("value"))
        return self._flagged(others[0].text("name"), self.graph.op("Not", flag) if name == "!=" else flag)

    def _within(self, left: Fields, right: Fields) -> str:
        if left.text("op") != "column":
            raise Unsupported("%in% of anything but a column has no converter")
        if right.text("op") == "text":
            return self.graph.op("Cast", self._is_any(left.text("name"), right.texts("value")), to=_DOUBLE)
        values: np.ndarray[Any, Any] = right.numbers("value").reshape(1, -1)
        same = self.graph.op("Equal", self.columns.number(left.text("name")), self.graph.const(values))
        return self.graph.op("ReduceMax", self.graph.op("Cast", same, to=_DOUBLE), self.graph.const([1], "int64"))

    def _is_any(self, name: str, texts: tuple[str, ...]) -> str:
        value = self.columns.value(name)
        if value.dtype != "string":
            raise Unsupported(f"the formula compares the column {name!r}, which is not text, with text")
        found = self.graph.ml(
            "LabelEncoder", value.name, keys_strings=list(texts), values_int64s=[1] * len(texts), default_int64=0
        )
        return self.graph.op("Equal", found, self.graph.const([[1]], "int64"))

    def _flagged(self, name: str, flag: str) -> str:
        value = self.columns.value(name)
        missing = self.graph.op("Equal", value.name, self.graph.const([[value.missing or ""]], "string"))
        found = self.graph.op("Cast", flag, to=_DOUBLE)
        return self.maths.where(missing, self.maths.n(float("nan")), found)


_DOUBLE = 11
_TESTS = {
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
    "==": "Equal",
    "!=": "NotEqual",
}
_Function = Callable[[Expressions, list[str]], str]


def _of(name: str) -> _Function:
    """Returns numpy's function called `name`, where R's is the same."""
    return lambda e, values: str(getattr(e.maths, name)(*values))


def _same(e: Expressions, values: list[str]) -> str:
    return values[0]


def _if_else(e: Expressions, values: list[str]) -> str:
    test, yes, no = values
    chosen = e.maths.where(e.graph.op("Equal", test, e.maths.n(0.0)), no, yes)
    return e.maths.where(e.graph.op("IsNaN", test), e.maths.n(float("nan")), chosen)


def _bounded(test: str) -> _Function:
    """`pmin` and `pmax`: NaN where any value is."""

    def bounded(e: Expressions, values: list[str]) -> str:
        found = values[0]
        for value in values[1:]:
            sum_of_both = e.maths.add(found, value)
            chosen = e.maths.where(e.graph.op(test, value, found), value, found)
            found = e.maths.where(e.graph.op("IsNaN", sum_of_both), sum_of_both, chosen)
        return found

    return bounded


def _both(e: Expressions, values: list[str]) -> str:
    """FALSE & NA is FALSE."""
    product = e.maths.multiply(_truth(e, values[0]), _truth(e, values[1]))
    zero = e.maths.n(0.0)
    false = e.graph.op("Or", e.graph.op("Equal", values[0], zero), e.graph.op("Equal", values[1], zero))
    return e.maths.where(false, zero, product)


def _either(e: Expressions, values: list[str]) -> str:
    """TRUE | NA is TRUE."""
    return _negated(e, [_both(e, [_negated(e, [values[0]]), _negated(e, [values[1]])])])


def _negated(e: Expressions, values: list[str]) -> str:
    return e.maths.subtract(e.maths.n(1.0), _truth(e, values[0]))


def _truth(e: Expressions, x: str) -> str:
    """0 or 1; NaN stays NaN."""
    false = e.graph.op("Equal", x, e.maths.n(0.0))
    return e.maths.where(e.graph.op("IsNaN", x), x, e.maths.where(false, e.maths.n(0.0), e.maths.n(1.0)))


def _is_missing(e: Expressions, values: list[str]) -> str:
    return e.graph.op("Cast", e.graph.op("IsNaN", values[0]), to=_DOUBLE)


def _truncated(e: Expressions, values: list[str]) -> str:
    return str(e.maths.trunc(values[0]))


_FUNCTIONS: dict[str, _Function] = {
    "+": _of("add"),
    "-": _of("subtract"),
    "*": _of("multiply"),
    "/": _of("divide"),
    "^": _of("power"),
    "(": _same,
    "I": _same,
    "offset": _same,
    "as.numeric": _same,
    "as.double": _same,
    "as.integer": _truncated,
    "as.logical": lambda e, values: _truth(e, values[0]),
    "log": _of("log"),
    "log2": _of("log2"),
    "log10": _of("log10"),
    "log1p": _of("log1p"),
    "exp": _of("exp"),
    "expm1": _of("expm1"),
    "sqrt": _of("sqrt"),
    "abs": _of("absolute"),
    "sign": _of("sign"),
    "sin": _of("sin"),
    "cos": _of("cos"),
    "tan": _of("tan"),
    "asin": _of("arcsin"),
    "acos": _of("arccos"),
    "atan": _of("arctan"),
    "sinh": _of("sinh"),
    "cosh": _of("cosh"),
    "tanh": _of("tanh"),
    "floor": _of("floor"),
    "ceiling": _of("ceil"),
    "trunc": _truncated,
    "round": _of("rint"),
    "ifelse": _if_else,
    "pmin": _bounded("Less"),
    "pmax": _bounded("Greater"),
    "%/%": _of("floor_divide"),
    "%%": _of("remainder"),
    "!": _negated,
    "&": _both,
    "|": _either,
    "is.na": _is_missing,
}
