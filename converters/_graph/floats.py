"""Floating-point functions as nodes, as exact as numpy, built from the float64 kernels of ONNX Runtime."""

from __future__ import annotations

import math

from .arithmetic import Flags, Maths, Wholes
from .builder import GraphBuilder
from .trigonometry import Angles


class Reals(Angles):
    """numpy's functions of floating-point numbers; see `Maths`."""

    def divide(self, x: str, y: str) -> str:
        return self.op("Div", x, y)

    true_divide = divide

    def power(self, x: str, y: str) -> str:
        return self.op("Pow", x, y)

    float_power = power

    def fabs(self, x: str) -> str:
        return self.op("Abs", x)

    def reciprocal(self, x: str) -> str:
        return self.op("Div", self.n(1.0), x)

    def sqrt(self, x: str) -> str:
        return self.op("Sqrt", x)

    def exp(self, x: str) -> str:
        return self.op("Exp", x)

    def exp2(self, x: str) -> str:
        return self.op("Pow", self.n(2.0), x)

    def log(self, x: str) -> str:
        return self.op("Log", x)

    def log2(self, x: str) -> str:
        return self._log_to(2.0, x)

    def log10(self, x: str) -> str:
        return self._log_to(10.0, x)

    def _log_to(self, base: float, x: str) -> str:
        """Exact where the logarithm is an integer: a later rounding or comparison never sees 2.9999999999999996."""
        found = self.op("Div", self.op("Log", x), self.n(math.log(base)))
        whole = self.op("Round", found)
        exact = self.op("Equal", self.op("Pow", self.n(base), whole), x)
        return self.where(exact, whole, found)

    def cbrt(self, x: str) -> str:
        """Refines the result of `Pow` by one Newton step."""
        size = self.op("Abs", x)
        plain = self.op("Or", self.op("Equal", x, self.n(0.0)), self.op("IsInf", x))
        safe = self.where(plain, self.n(1.0), size)
        root = self.op("Pow", safe, self.n(1.0 / 3.0))
        off = self.op("Sub", root, self.op("Div", self.op("Div", safe, root), root))
        root = self.op("Sub", root, self.op("Div", off, self.n(3.0)))
        return self.where(plain, x, self._signed(root, x))

    def hypot(self, x: str, y: str) -> str:
        """Scales by the larger side, whose square may overflow."""
        first, second = self.op("Abs", x), self.op("Abs", y)
        most, least = self.op("Max", first, second), self.op("Min", first, second)
        plain = self.op("Or", self.op("Equal", most, self.n(0.0)), self.op("IsInf", most))
        ratio = self.op("Div", least, self.where(plain, self.n(1.0), most))
        root = self.op("Sqrt", self.op("Add", self.op("Mul", ratio, ratio), self.n(1.0)))
        endless = self.op("Or", self.op("IsInf", x), self.op("IsInf", y))
        found = self.where(plain, most, self.op("Mul", most, root))
        return self.where(endless, self.n(math.inf), found)

    def floor(self, x: str) -> str:
        return self.op("Floor", x)

    def ceil(self, x: str) -> str:
        return self.op("Ceil", x)

    def rint(self, x: str) -> str:
        return self.op("Round", x)

    def trunc(self, x: str) -> str:
        return self.where(self.op("Less", x, self.n(0.0)), self.op("Ceil", x), self.op("Floor", x))

    def maximum(self, x: str, y: str) -> str:
        """The larger one; NaN where either is."""
        first = self.op("Or", self.op("GreaterOrEqual", x, y), self.op("IsNaN", x))
        return self.where(first, x, y)

    def minimum(self, x: str, y: str) -> str:
        """The smaller one; NaN where either is."""
        first = self.op("Or", self.op("LessOrEqual", x, y), self.op("IsNaN", x))
        return self.where(first, x, y)

    def fmax(self, x: str, y: str) -> str:
        """The larger one; the other where one is NaN."""
        return self.where(self.op("Or", self.op("GreaterOrEqual", x, y), self.op("IsNaN", y)), x, y)

    def fmin(self, x: str, y: str) -> str:
        """The smaller one; the other where one is NaN."""
        return self.where(self.op("Or", self.op("LessOrEqual", x, y), self.op("IsNaN", y)), x, y)

    def fmod(self, x: str, y: str) -> str:
        return self.op("Mod", x, y, fmod=1)

    def remainder(self, x: str, y: str) -> str:
        """The remainder, with the sign of `y`."""
        rest = self.fmod(x, y)
        other = self.op("Xor", self.op("Less", y, self.n(0.0)), self.op("Less", rest, self.n(0.0)))
        none = self.op("Equal", rest, self.n(0.0))
        turned = self.where(other, self.op("Add", rest, y), rest)
        return self.where(none, self.op("Mul", self.n(0.0), self.where(self.op("IsInf", y), rest, y)), turned)

    mod = remainder

    def floor_divide(self, x: str, y: str) -> str:
        """The quotient, rounded as numpy does it, from the remainder of `fmod`."""
        rest = self.fmod(x, y)
        other = self.op("Xor", self.op("Less", y, self.n(0.0)), self.op("Less", rest, self.n(0.0)))
        one_less = self.op("And", other, self.op("Not", self.op("Equal", rest, self.n(0.0))))
        exact = self.op("Div", self.op("Sub", x, rest), y)
        exact = self.where(one_less, self.op("Sub", exact, self.n(1.0)), exact)
        low = self.op("Floor", exact)
        high = self.op("Greater", self.op("Sub", exact, low), self.n(0.5))
        found = self.where(high, self.op("Add", low, self.n(1.0)), low)
        return self.where(self.op("Equal", y, self.n(0.0)), self.op("Div", x, y), found)

    def heaviside(self, x: str, middle: str) -> str:
        above = self.where(self.op("Greater", x, self.n(0.0)), self.n(1.0), self.n(0.0))
        found = self.where(self.op("Equal", x, self.n(0.0)), middle, above)
        return self.where(self.op("IsNaN", x), x, found)

    def logaddexp(self, x: str, y: str) -> str:
        gap = self.op("Neg", self.op("Abs", self.op("Sub", x, y)))
        bent = self.op("Add", self.maximum(x, y), self.log1p(self.op("Exp", gap)))
        return self.where(self.op("Equal", x, y), self.op("Add", x, self.n(math.log(2.0))), bent)

    def expit(self, x: str) -> str:
        return self.op("Div", self.n(1.0), self.op("Add", self.n(1.0), self.op("Exp", self.op("Neg", x))))

    def isnan(self, x: str) -> str:
        return self.op("IsNaN", x)

    def isinf(self, x: str) -> str:
        return self.op("IsInf", x)

    def isfinite(self, x: str) -> str:
        return self.op("Not", self.op("Or", self.op("IsNaN", x), self.op("IsInf", x)))


def maths(graph: GraphBuilder, kind: str) -> Maths:
    """Returns the functions for values of that type, as named in `TensorSpec`."""
    if kind == "bool":
        return Flags(graph, kind)
    return Reals(graph, kind) if kind.startswith("float") else Wholes(graph, kind)
