"""R's inverse link functions, with the bounds in its code."""

from __future__ import annotations

from collections.abc import Callable

from .._graph.builder import GraphBuilder
from .._graph.erf import normal_cdf
from .._graph.floats import Reals
from ..spec import Unsupported

EPS = 2.220446049250313e-16
_PROBIT_MOST = 8.125890664701906
"""`-qnorm(.Machine$double.eps)`."""
_CAUCHIT_MOST = 1433540284805665.0
"""`-qcauchy(.Machine$double.eps)`."""


def inverse_link(graph: GraphBuilder, link: str, eta: str) -> str:
    """Returns the mean for a linear predictor `eta`; `link` is R's name."""
    if link not in _LINKS:
        raise Unsupported(f"the link {link!r} has no converter")
    return _LINKS[link](graph, Reals(graph, "float64"), eta)


def _clamped(maths: Reals, x: str, least: float, most: float) -> str:
    """Limits the number to the range; NaN stays NaN."""
    low, high = maths.n(least), maths.n(most)
    x = maths.where(maths.op("Less", x, low), low, x)
    return maths.where(maths.op("Greater", x, high), high, x)


def _logit(graph: GraphBuilder, maths: Reals, eta: str) -> str:
    odds = maths.where(maths.op("Greater", eta, maths.n(30.0)), maths.n(1 / EPS), maths.exp(eta))
    odds = maths.where(maths.op("Less", eta, maths.n(-30.0)), maths.n(EPS), odds)
    return maths.divide(odds, maths.add(odds, maths.n(1.0)))


def _probit(graph: GraphBuilder, maths: Reals, eta: str) -> str:
    return normal_cdf(graph, _clamped(maths, eta, -_PROBIT_MOST, _PROBIT_MOST))


def _cauchit(graph: GraphBuilder, maths: Reals, eta: str) -> str:
    return cauchy_cdf(maths, _clamped(maths, eta, -_CAUCHIT_MOST, _CAUCHIT_MOST))


def cauchy_cdf(maths: Reals, x: str) -> str:
    """`pcauchy`, accurate in its lower tail."""
    pi = maths.n(3.141592653589793)
    far = maths.op("Greater", maths.absolute(x), maths.n(1.0))
    tail = maths.divide(maths.arctan(maths.divide(maths.n(1.0), maths.where(far, x, maths.n(1.0)))), pi)
    upper = maths.where(maths.op("Greater", x, maths.n(0.0)), maths.subtract(maths.n(1.0), tail), maths.negative(tail))
    return maths.where(far, upper, maths.add(maths.n(0.5), maths.divide(maths.arctan(x), pi)))


def _cloglog(graph: GraphBuilder, maths: Reals, eta: str) -> str:
    mean = maths.negative(maths.expm1(maths.negative(maths.exp(eta))))
    return _clamped(maths, mean, EPS, 1 - EPS)


def _log(graph: GraphBuilder, maths: Reals, eta: str) -> str:
    mean = maths.exp(eta)
    return maths.where(maths.op("Less", mean, maths.n(EPS)), maths.n(EPS), mean)


_LINKS: dict[str, Callable[[GraphBuilder, Reals, str], str]] = {
    "identity": lambda graph, maths, eta: eta,
    "logit": _logit,
    "probit": _probit,
    "cauchit": _cauchit,
    "cloglog": _cloglog,
    "log": _log,
    "inverse": lambda graph, maths, eta: maths.divide(maths.n(1.0), eta),
    "sqrt": lambda graph, maths, eta: maths.square(eta),
    "1/mu^2": lambda graph, maths, eta: maths.divide(maths.n(1.0), maths.sqrt(eta)),
}
