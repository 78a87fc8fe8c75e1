"""mgcv's smooth terms as nodes, from the form that `_smooths.R` exports."""

from __future__ import annotations

from collections.abc import Callable

from .._graph.floats import Reals
from ..spec import Unsupported
from ._form.columns import Columns
from ._form.design import Design
from ._form.expressions import Expressions
from ._form.form import Fields

_DOUBLE = 11


class Smooths:
    """The smooth terms of one model."""

    def __init__(self, columns: Columns) -> None:
        self.columns, self.graph = columns, columns.graph
        self.expressions = Expressions(columns)
        self.maths = Reals(columns.graph, "float64")

    def value(self, smooth: Fields) -> str:
        """Returns the term's contribution, `float64 [N, 1]`; NaN so far out that R's result is noise."""
        found = ""
        for basis in smooth.each("bases"):
            block = self._basis(basis)
            found = self._products(found, block) if found else block
        weights = smooth.numbers("weights")
        if len(weights) > 1:
            found = self.graph.op("MatMul", found, self.graph.const(weights.reshape(-1, 1)))
        found = self.maths.add(found, self.graph.const([[smooth.number("constant")]]))
        return self.maths.multiply(found, self._multiplier(smooth.of("by"))) if smooth.has("by") else found

    def _products(self, left: str, right: str) -> str:
        """Multiplies each column of one with each of the other, the first one's slowest."""
        graph = self.graph
        first = graph.op("Unsqueeze", left, graph.const([2], "int64"))
        second = graph.op("Unsqueeze", right, graph.const([1], "int64"))
        return graph.op("Flatten", graph.op("Mul", first, second), axis=1)

    def _multiplier(self, by: Fields) -> str:
        if by.has("x"):
            return self._finite(self.expressions.value(by.of("x")))
        level = self.graph.const([[int(by.number("level"))]], "int64")
        return self.graph.op("Cast", self.graph.op("Equal", self.columns.code(by.text("name")), level), to=_DOUBLE)

    def _basis(self, basis: Fields) -> str:
        made: dict[str, Callable[[Fields], str]] = {
            "pieces": self._pieces,
            "effects": self._effects,
            "radial": self._radial,
        }
        kind = basis.text("kind")
        if kind not in made:
            raise Unsupported(f"a smooth of type {kind!r} has no converter")
        return made[kind](basis)

    def _pieces(self, basis: Fields) -> str:
        x = self._inside(self.expressions.value(basis.of("x")), basis, 0)
        return self.expressions.pieces(self._wrapped(x, basis) if basis.has("wrap") else x, basis)

    def _finite(self, x: str) -> str:
        return self.maths.where(self.graph.op("IsInf", x), self.maths.n(float("nan")), x)

    def _inside(self, x: str, basis: Fields, place: int) -> str:
        """Returns the number; NaN beyond the limits, and where it is infinite."""
        m, x = self.maths, self._finite(x)
        if not basis.has("low"):
            return x
        low, high = basis.numbers("low")[place], basis.numbers("high")[place]
        far = self.graph.op("Or", self.graph.op("Less", x, m.n(low)), self.graph.op("Greater", x, m.n(high)))
        return m.where(far, m.n(float("nan")), x)

    def _wrapped(self, x: str, basis: Fields) -> str:
        """Returns the position within the period."""
        m = self.maths
        low, high = (m.n(float(end)) for end in basis.numbers("wrap"))
        width = m.n(float(basis.numbers("wrap")[1] - basis.numbers("wrap")[0]))
        above = m.add(low, m.remainder(m.subtract(x, high), width))
        below = m.subtract(high, m.remainder(m.subtract(low, x), width))
        found = m.where(self.graph.op("Greater", x, high), above, x)
        return m.where(self.graph.op("Less", x, low), below, found)

    def _effects(self, basis: Fields) -> str:
        graph, design = self.graph, Design(basis.of("design"), self.columns)
        x = design.matrix()
        odd = graph.op("Or", graph.op("IsNaN", x), graph.op("IsInf", x))
        weights = basis.numbers("weights")
        found = graph.op("MatMul", graph.op("Where", odd, graph.const([[0.0]]), x), graph.const(weights))
        return graph.op("Add", found, graph.const(basis.numbers("constant").reshape(1, -1)))

    def _radial(self, basis: Fields) -> str:
        m, graph = self.maths, self.graph
        knots, shift, squares, places = basis.numbers("knots"), basis.numbers("shift"), "", []
        for i, e in enumerate(basis.each("xs")):
            x = m.subtract(self._inside(self.expressions.value(e), basis, i), m.n(float(shift[i])))
            places.append(x)
            square = m.square(m.subtract(x, graph.const(knots[:, i].reshape(1, -1))))
            squares = m.add(squares, square) if squares else square
        found = graph.op("MatMul", self._kernel(squares, basis), graph.const(basis.numbers("weights")))
        slopes = basis.numbers("slopes")
        for powers, slope in zip(basis.numbers("powers"), slopes, strict=True):
            term = graph.const(slope.reshape(1, -1))
            for x, power in zip(places, powers, strict=True):
                for _ in range(int(power)):
                    term = m.multiply(term, x)
            found = m.add(found, term)
        return m.add(found, graph.const(basis.numbers("constant").reshape(1, -1)))

    def _kernel(self, squares: str, basis: Fields) -> str:
        m = self.maths
        power = basis.number("power")
        found = m.power(squares, m.n(power / 2)) if power != 2 else squares
        if not basis.flag("log"):
            return found
        zero = self.graph.op("Equal", squares, m.n(0.0))
        log = m.divide(m.log(m.where(zero, m.n(1.0), squares)), m.n(2.0))
        return m.multiply(found, log)
