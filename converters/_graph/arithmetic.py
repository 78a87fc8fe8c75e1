"""Elementwise arithmetic as nodes, under numpy's names, for values of one type."""

from __future__ import annotations

from typing import Any

from ..spec import Unsupported
from .builder import GraphBuilder, _onnx_type


class Maths:
    """Nodes on values of one type; `kind`: that type, as in `TensorSpec`."""

    def __init__(self, graph: GraphBuilder, kind: str) -> None:
        self.graph = graph
        self.kind = kind

    def op(self, kind: str, *names: str, **attributes: Any) -> str:
        """Adds a node and returns its output."""
        return self.graph.op(kind, *names, **attributes)

    def n(self, value: float) -> str:
        """Returns a constant."""
        return self.graph.const(value, self.kind)

    def where(self, test: str, yes: str, no: str) -> str:
        """Returns `yes` where the condition is true, else `no`."""
        return self.op("Where", test, yes, no)

    def add(self, x: str, y: str) -> str:
        return self.op("Add", x, y)

    def subtract(self, x: str, y: str) -> str:
        return self.op("Sub", x, y)

    def multiply(self, x: str, y: str) -> str:
        return self.op("Mul", x, y)

    def positive(self, x: str) -> str:
        return x

    def negative(self, x: str) -> str:
        return self.op("Neg", x)

    def absolute(self, x: str) -> str:
        return self.op("Abs", x)

    def square(self, x: str) -> str:
        return self.op("Mul", x, x)

    def sign(self, x: str) -> str:
        return self.op("Sign", x)


class Wholes(Maths):
    """Integers, which wrap round on overflow, as numpy's do.

    ONNX Runtime 1.31 reads only the lower 32 bits in `Max`, `Min`, `Clip` and `Sign` of int64.
    """

    def maximum(self, x: str, y: str) -> str:
        return self.where(self.op("Greater", x, y), x, y)

    def minimum(self, x: str, y: str) -> str:
        return self.where(self.op("Less", x, y), x, y)

    fmax, fmin = maximum, minimum

    def sign(self, x: str) -> str:
        zero, kind = self.n(0), _onnx_type(self.kind)
        above, below = (self.op("Cast", self.op(test, x, zero), to=kind) for test in ("Greater", "Less"))
        return self.op("Sub", above, below)

    def floor(self, x: str) -> str:
        return x

    ceil = trunc = rint = floor

    def floor_divide(self, x: str, y: str) -> str:
        """0 where `y` is 0, as in numpy; dividing by 0, or the smallest integer by -1, would kill the process."""
        odd = self.op("Or", self.op("Equal", y, self.n(0)), self.op("Equal", y, self.n(-1)))
        safe = self.where(odd, self.n(1), y)
        towards_zero = self.op("Div", x, safe)
        rest = self.op("Sub", x, self.op("Mul", towards_zero, safe))
        other = self.op("Xor", self.op("Less", safe, self.n(0)), self.op("Less", rest, self.n(0)))
        one_less = self.op("And", other, self.op("Not", self.op("Equal", rest, self.n(0))))
        found = self.where(one_less, self.op("Sub", towards_zero, self.n(1)), towards_zero)
        found = self.where(self.op("Equal", y, self.n(-1)), self.op("Neg", x), found)
        return self.where(self.op("Equal", y, self.n(0)), self.n(0), found)

    def remainder(self, x: str, y: str) -> str:
        """The remainder, with the sign of `y`; 0 where `y` is 0."""
        rest = self.op("Sub", x, self.op("Mul", self.floor_divide(x, y), y))
        return self.where(self.op("Equal", y, self.n(0)), self.n(0), rest)

    mod = remainder

    def raised(self, x: str, exponent: int) -> str:
        """`x ** exponent` for a constant exponent."""
        if not 0 <= exponent <= 64:
            raise Unsupported(f"integers to the power of {exponent} (convert them to float first)")
        value = self.op("Add", self.op("Mul", x, self.n(0)), self.n(1)) if exponent == 0 else x
        for _ in range(exponent - 1):
            value = self.op("Mul", value, x)
        return value


class Flags(Maths):
    """Booleans, on which numpy's arithmetic is logic."""

    def where(self, test: str, yes: str, no: str) -> str:
        """`Where` has no kernel for booleans."""
        return self.op("Or", self.op("And", test, yes), self.op("And", self.op("Not", test), no))

    def add(self, x: str, y: str) -> str:
        return self.op("Or", x, y)

    def multiply(self, x: str, y: str) -> str:
        return self.op("And", x, y)

    def absolute(self, x: str) -> str:
        return x

    def logical_and(self, x: str, y: str) -> str:
        return self.op("And", x, y)

    def logical_or(self, x: str, y: str) -> str:
        return self.op("Or", x, y)

    def logical_xor(self, x: str, y: str) -> str:
        return self.op("Xor", x, y)

    def logical_not(self, x: str) -> str:
        return self.op("Not", x)

    bitwise_and, bitwise_or, bitwise_xor, invert = logical_and, logical_or, logical_xor, logical_not
    maximum, minimum = logical_or, logical_and
