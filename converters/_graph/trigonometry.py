"""Trigonometric and hyperbolic functions as nodes, from the few float64 kernels that ONNX Runtime has."""

from __future__ import annotations

import math

from .arithmetic import Maths

_ATAN_ABOVE = (
    -8.750608600031904122785e-1,
    -1.615753718733365076637e1,
    -7.500855792314704667340e1,
    -1.228866684490136173410e2,
    -6.485021904942025371773e1,
)
_ATAN_BELOW = (
    1.0,
    2.485846490142306297962e1,
    1.650270098316988542046e2,
    4.328810604912902668951e2,
    4.853903996359136964868e2,
    1.945506571482613964425e2,
)
"""Cephes' rational function for the arc tangent on [-0.66, 0.66], the highest power first."""


class Angles(Maths):
    """Trigonometric and hyperbolic functions of floating point numbers, under numpy's names."""

    def log1p(self, x: str) -> str:
        """`x * log(u) / (u - 1)` for `u = 1 + x`, which is accurate near 0."""
        moved = self.op("Add", x, self.n(1.0))
        rest = self.op("Sub", moved, self.n(1.0))
        plain = self.op("Log", moved)
        lost = self.op("Equal", rest, self.n(0.0))
        ratio = self.op("Div", x, self.where(lost, self.n(1.0), rest))
        near = self.op("Less", self.op("Abs", x), self.n(0.5))
        return self.where(lost, x, self.where(near, self.op("Mul", plain, ratio), plain))

    def expm1(self, x: str) -> str:
        """`x * (u - 1) / log(u)` for `u = exp(x)`, which is accurate near 0."""
        raised = self.op("Exp", x)
        rest = self.op("Sub", raised, self.n(1.0))
        lost = self.op("Equal", rest, self.n(0.0))
        near = self.op("Less", self.op("Abs", x), self.n(0.5))
        safe = self.where(self.op("And", near, self.op("Not", lost)), raised, self.n(2.0))
        ratio = self.op("Div", x, self.op("Log", safe))
        return self.where(lost, x, self.where(near, self.op("Mul", rest, ratio), rest))

    def sin(self, x: str) -> str:
        return self.op("Sin", x)

    def cos(self, x: str) -> str:
        """In float64 by the half angle, which is exact: ONNX Runtime 1.28 has no such kernel."""
        if self.kind == "float32":
            return self.op("Cos", x)
        sine = self.op("Sin", self.op("Mul", x, self.n(0.5)))
        return self.op("Sub", self.n(1.0), self.op("Mul", self.n(2.0), self.op("Mul", sine, sine)))

    def tan(self, x: str) -> str:
        return self.op("Div", self.op("Sin", x), self.cos(x))

    def tanh(self, x: str) -> str:
        return self.op("Tanh", x)

    def sinh(self, x: str) -> str:
        """Half of `u + u / (u + 1)` for `u = expm1(|x|)`, halved before it overflows; the sign is restored last."""
        size = self.op("Abs", x)
        raised = self.expm1(size)
        small = self.op("Add", raised, self.op("Div", raised, self.op("Add", raised, self.n(1.0))))
        half = self.op("Exp", self.op("Mul", size, self.n(0.5)))
        large = self.op("Mul", self.op("Mul", half, self.n(0.5)), half)
        near = self.op("Less", size, self.n(22.0))
        return self._signed(self.where(near, self.op("Mul", small, self.n(0.5)), large), x)

    def cosh(self, x: str) -> str:
        half = self.op("Exp", self.op("Mul", self.op("Abs", x), self.n(0.5)))
        up = self.op("Mul", self.op("Mul", half, self.n(0.5)), half)
        return self.op("Add", up, self.op("Div", self.op("Div", self.n(0.5), half), half))

    def arcsinh(self, x: str) -> str:
        size = self.op("Abs", x)
        large = self.op("Greater", size, self.n(1e8))
        inner = self.where(large, self.n(1.0), size)
        squared = self.op("Mul", inner, inner)
        root = self.op("Sqrt", self.op("Add", squared, self.n(1.0)))
        near = self.log1p(self.op("Add", inner, self.op("Div", squared, self.op("Add", root, self.n(1.0)))))
        far = self.op("Add", self.op("Log", size), self.n(math.log(2.0)))
        return self._signed(self.where(large, far, near), x)

    def arccosh(self, x: str) -> str:
        large = self.op("Greater", x, self.n(1e8))
        less = self.op("Sub", self.where(large, self.n(1.0), x), self.n(1.0))
        root = self.op("Mul", self.op("Sqrt", less), self.op("Sqrt", self.op("Add", less, self.n(2.0))))
        far = self.op("Add", self.op("Log", x), self.n(math.log(2.0)))
        return self.where(large, far, self.log1p(self.op("Add", less, root)))

    def arctanh(self, x: str) -> str:
        size = self.op("Abs", x)
        twice = self.op("Div", self.op("Add", size, size), self.op("Sub", self.n(1.0), size))
        return self._signed(self.op("Mul", self.log1p(twice), self.n(0.5)), x)

    def arctan(self, x: str) -> str:
        """As in Cephes: reduces the argument to [-0.66, 0.66] first."""
        size = self.op("Abs", x)
        far = self.op("Greater", size, self.n(2.41421356237309504880))
        middle = self.op("And", self.op("Greater", size, self.n(0.66)), self.op("Not", far))
        one = self.n(1.0)
        turned = self.op("Div", self.op("Sub", size, one), self.op("Add", size, one))
        inverse = self.op("Div", self.n(-1.0), self.where(far, size, one))
        inner = self.where(far, inverse, self.where(middle, turned, size))
        start = self.where(far, self.n(math.pi / 2), self.where(middle, self.n(math.pi / 4), self.n(0.0)))
        squared = self.op("Mul", inner, inner)
        above, below = self._polynomial(_ATAN_ABOVE, squared), self._polynomial(_ATAN_BELOW, squared)
        bend = self.op("Mul", inner, self.op("Div", self.op("Mul", squared, above), below))
        return self._signed(self.op("Add", start, self.op("Add", inner, bend)), x)

    def arcsin(self, x: str) -> str:
        return self.arctan2(x, self._other_side(x))

    def arccos(self, x: str) -> str:
        return self.arctan2(self._other_side(x), x)

    def _other_side(self, x: str) -> str:
        one = self.n(1.0)
        return self.op("Sqrt", self.op("Mul", self.op("Sub", one, x), self.op("Add", one, x)))

    def arctan2(self, y: str, x: str) -> str:
        high, wide = self.op("Abs", y), self.op("Abs", x)
        steep = self.op("Greater", high, wide)
        least, most = self.where(steep, wide, high), self.where(steep, high, wide)
        same = self.op("Equal", high, wide)
        none = self.op("Equal", most, self.n(0.0))
        ratio = self.op("Div", least, self.where(none, self.n(1.0), most))
        angle = self.arctan(self.where(same, self.where(none, self.n(0.0), self.n(1.0)), ratio))
        angle = self.where(steep, self.op("Sub", self.n(math.pi / 2), angle), angle)
        angle = self.where(self.signbit(x), self.op("Sub", self.n(math.pi), angle), angle)
        spoilt = self.op("Or", self.op("IsNaN", x), self.op("IsNaN", y))
        return self.where(spoilt, self.op("Add", x, y), self.copysign(angle, y))

    def _polynomial(self, factors: tuple[float, ...], x: str) -> str:
        value = self.n(factors[0])
        for factor in factors[1:]:
            value = self.op("Add", self.op("Mul", value, x), self.n(factor))
        return value

    def deg2rad(self, x: str) -> str:
        return self.op("Mul", x, self.n(math.pi / 180.0))

    def rad2deg(self, x: str) -> str:
        return self.op("Mul", x, self.n(180.0 / math.pi))

    radians, degrees = deg2rad, rad2deg

    def signbit(self, x: str) -> str:
        """Whether the sign bit is set, also that of 0: a boolean."""
        turned = self.op("Less", self.op("Div", self.n(1.0), x), self.n(0.0))
        return self.op("Or", self.op("Less", x, self.n(0.0)), turned)

    def copysign(self, x: str, y: str) -> str:
        size = self.op("Abs", x)
        return self.where(self.signbit(y), self.op("Neg", size), size)

    def _signed(self, size: str, x: str) -> str:
        """Returns the magnitude with the sign of `x`; `x` itself where it is 0, with its sign."""
        turned = self.where(self.op("Less", x, self.n(0.0)), self.op("Neg", size), size)
        return self.where(self.op("Equal", x, self.n(0.0)), x, turned)
