"""The error function in double precision, for which ONNX Runtime has no kernel.

Uses the rational approximations of Cephes (S. L. Moshier), as scipy does: accurate to the last digits.
"""

from __future__ import annotations

from collections.abc import Sequence

from .builder import GraphBuilder

_NEAR = (9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3)
_NEAR_TOP = (*_NEAR, 7.00332514112805075473e3, 5.55923013010394962768e4)
_NEAR_LOW = (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3)
_NEAR_BOTTOM = (*_NEAR_LOW, 2.26290000613890934246e4, 4.92673942608635921086e4)
_FAR = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0, 4.86371970985681366614e1)
_FAR_MORE = (1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2)
_FAR_TOP = (*_FAR, *_FAR_MORE, 1.02755188689515710272e3, 5.57535335369399327526e2)
_FAR_LOW = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2)
_FAR_SOME = (9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3)
_FAR_BOTTOM = (*_FAR_LOW, *_FAR_SOME, 1.65666309194161350182e3, 5.57535340817727675546e2)
_ONE_FROM = 8.0
"""From here on the function is 1 in double precision."""


def erf(graph: GraphBuilder, x: str) -> str:
    """Adds nodes for the error function of each number."""
    square = graph.op("Mul", x, x)
    near = graph.op("Mul", x, _ratio(graph, square, _NEAR_TOP, _NEAR_BOTTOM))
    size = graph.op("Abs", x)
    limit = graph.const(_ONE_FROM)
    capped = graph.op("Where", graph.op("Greater", size, limit), limit, size)  # NaN stays NaN
    falling = graph.op("Exp", graph.op("Neg", graph.op("Mul", capped, capped)))
    rest = graph.op("Mul", falling, _ratio(graph, capped, _FAR_TOP, _FAR_BOTTOM))
    far = graph.op("Mul", graph.op("Sign", x), graph.op("Sub", graph.const(1.0), rest))
    return graph.op("Where", graph.op("Less", size, graph.const(1.0)), near, far)


def _ratio(graph: GraphBuilder, x: str, top: Sequence[float], bottom: Sequence[float]) -> str:
    return graph.op("Div", _polynomial(graph, x, top), _polynomial(graph, x, bottom))


def _polynomial(graph: GraphBuilder, x: str, factors: Sequence[float]) -> str:
    """Evaluates the polynomial with these coefficients, the highest power first."""
    value = graph.const(factors[0])
    for factor in factors[1:]:
        value = graph.op("Add", graph.op("Mul", value, x), graph.const(factor))
    return value


def normal_cdf(graph: GraphBuilder, x: str) -> str:
    """Adds nodes for the standard normal distribution function, whose lower tail is accurate down to 1e-30."""
    half, one = graph.const(0.5), graph.const(1.0)
    size = graph.op("Mul", graph.op("Abs", x), graph.const(0.5**0.5))
    square = graph.op("Mul", size, size)
    inner = graph.op("Mul", size, _ratio(graph, square, _NEAR_TOP, _NEAR_BOTTOM))
    limit = graph.const(_ONE_FROM)
    capped = graph.op("Where", graph.op("Greater", size, limit), limit, size)
    falling = graph.op("Exp", graph.op("Neg", graph.op("Mul", capped, capped)))
    outer = graph.op("Mul", falling, _ratio(graph, capped, _FAR_TOP, _FAR_BOTTOM))
    near = graph.op("Less", size, one)
    tail = graph.op("Mul", half, graph.op("Where", near, graph.op("Sub", one, inner), outer))
    return graph.op("Where", graph.op("Greater", x, graph.const(0.0)), graph.op("Sub", one, tail), tail)
