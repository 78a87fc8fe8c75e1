"""Sums and exponentials rounded as in C code, for models whose large weights expose the last bits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import ldexp
from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_HEAVY = 3e3
_STEPS = 64
_LEAST = -746.0
"""The exponential of any smaller number is 0."""
_INVERSE_FACTORIALS = (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2)


def shows_last_bits(weights: Array) -> bool:
    """Returns whether weights are so large that their sum exposes the last bits of a kernel's exponentials."""
    import numpy as np

    return float(np.sqrt(np.square(weights).sum())) > _HEAVY


def summed(graph: GraphBuilder, x: str, weights: Array) -> str:
    """`x @ weights` `[N, 1]` for weights `[M]`, added sequentially as in a loop."""
    import numpy as np

    terms = graph.op("Mul", x, graph.const(np.ascontiguousarray(weights).reshape(1, -1)))
    running = graph.op("CumSum", terms, graph.const(1, "int64"))
    return graph.op("Gather", running, graph.const([len(weights) - 1], "int64"), axis=1)


def exponential(graph: GraphBuilder, x: str) -> str:
    """`exp` of numbers up to 700, within 0.51 units in the last place; ONNX Runtime's own errs by one and more.

    Uses the nearest power of the 64th root of 2, known beyond double precision, and a polynomial for the remainder.
    """
    nan = graph.op("IsNaN", x)
    low = graph.op("Less", x, _one(graph, _LEAST))
    safe = graph.op("Where", low, _one(graph, _LEAST), graph.op("Where", nan, _one(graph, 0.0), x))
    high_part, low_part = _log_of_root()
    steps = graph.op("Round", graph.op("Mul", safe, _one(graph, 1 / (high_part + low_part))))
    rest = graph.op("Sub", safe, graph.op("Mul", steps, _one(graph, high_part)))
    rest = graph.op("Sub", rest, graph.op("Mul", steps, _one(graph, low_part)))
    value = graph.op("Mul", *_root_and_power(graph, steps, _expm1(graph, rest)))
    return graph.op("Where", nan, x, value)


def _one(graph: GraphBuilder, value: float) -> str:
    return graph.const([[value]], "float64")


def _log_of_root() -> tuple[float, float]:
    """The logarithm of the 64th root of 2: 32 bits, so that small multiples are exact, and the remainder."""
    with localcontext() as context:
        context.prec = 60
        whole = Decimal(2).ln() / _STEPS
        high = ldexp(float(int(whole * 2**38)), -38)
        return high, float(whole - Decimal(high))


def _expm1(graph: GraphBuilder, rest: str) -> str:
    """`exp(rest) - 1` for a rest near 0."""
    factor = _one(graph, _INVERSE_FACTORIALS[0])
    for inverse in _INVERSE_FACTORIALS[1:]:
        factor = graph.op("Add", graph.op("Mul", factor, rest), _one(graph, inverse))
    return graph.op("Add", rest, graph.op("Mul", graph.op("Mul", rest, rest), factor))


def _root_and_power(graph: GraphBuilder, steps: str, small: str) -> tuple[str, str]:
    """Returns the factor of the exponential between 1 and 2, and the power of 2."""
    import numpy as np

    with localcontext() as context:
        context.prec = 60
        roots = [Decimal(2) ** (Decimal(j) / _STEPS) for j in range(_STEPS)]
        tails = [float(root - Decimal(float(root))) for root in roots]
    power = graph.op("Floor", graph.op("Mul", steps, _one(graph, 1 / _STEPS)))
    place = graph.op("Sub", steps, graph.op("Mul", power, _one(graph, float(_STEPS))))
    code = graph.op("Cast", place, to=_INT64)
    root = graph.op("Gather", graph.const(np.array([float(root) for root in roots])), code)
    tail = graph.op("Gather", graph.const(np.array(tails)), code)
    between = graph.op("Add", root, graph.op("Add", tail, graph.op("Mul", root, small)))
    powers = np.array([ldexp(1.0, n) for n in range(_FIRST_POWER, 1024)])
    shifted = graph.op("Sub", graph.op("Cast", power, to=_INT64), graph.const([[_FIRST_POWER]], "int64"))
    return between, graph.op("Gather", graph.const(powers), shifted)


_FIRST_POWER = -1080
_INT64 = 7
