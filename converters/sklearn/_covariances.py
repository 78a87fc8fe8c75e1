"""Kernels of Gaussian processes, and their sums, products and powers, between the rows of a batch and fixed points."""

from __future__ import annotations

from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder
from ..spec import Unsupported
from . import _kernels as kernels
from . import _scores as scores

Kernel = Callable[[Any, str, Any, GraphBuilder], str]
"""Maps a fitted kernel, the rows `[N, F]` and points `[M, F]` to values that broadcast to `[N, M]`."""


def refuses_negative(kernel: Any) -> bool:
    """Returns whether a kernel, by its name or of a Gaussian process, refuses numbers below 0."""
    parts = [getattr(kernel, name) for name in ("k1", "k2", "kernel", "metric") if hasattr(kernel, name)]
    return kernel in ("chi2", "additive_chi2") if isinstance(kernel, str) else any(map(refuses_negative, parts))


def covariance(graph: GraphBuilder, x: str, points: Any, kernel: Any) -> str:
    """Returns a kernel of `sklearn.gaussian_process.kernels` for each row and point, `[N, M]`."""
    value = _value(kernel, x, points, graph)
    if not _even(kernel):
        return value
    rows = graph.op("Shape", x, start=0, end=1)
    return graph.op("Expand", value, graph.op("Concat", rows, graph.const([len(points)], "int64"), axis=0))


def _even(kernel: Any) -> bool:
    """Returns whether the kernel consists of constants only."""
    parts = [getattr(kernel, name) for name in ("k1", "k2", "kernel") if hasattr(kernel, name)]
    return all(map(_even, parts)) if parts else type(kernel).__name__ in ("ConstantKernel", "WhiteKernel")


def _value(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    name = _known(kernel)
    return _COVARIANCES[name](kernel, x, points, graph)


def _known(kernel: Any) -> str:
    name = type(kernel).__name__
    if type(kernel).__module__ != "sklearn.gaussian_process.kernels" or name not in _COVARIANCES:
        what = name if hasattr(kernel, "get_params") else getattr(kernel, "__name__", repr(kernel))
        raise Unsupported(f"the kernel {what} has no converter; supported: scikit-learn's own kernels over columns")
    return name


def _joined(kind: str) -> Kernel:
    def of(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
        return graph.op(kind, _value(kernel.k1, x, points, graph), _value(kernel.k2, x, points, graph))

    return of


def _power(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    return graph.op("Pow", _value(kernel.kernel, x, points, graph), graph.const(float(kernel.exponent)))


def _constant(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    return kernels.row(kernel.constant_value, graph)


def _noise(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    """Returns 0: the original adds noise only between rows and themselves."""
    return kernels.row(0.0, graph)


def _scaled(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    """Returns squared distances in units of the length scale."""
    import numpy as np

    scale = np.broadcast_to(np.squeeze(np.asarray(kernel.length_scale, np.float64)), (points.shape[1],))
    return kernels.squares(graph, graph.op("Div", x, kernels.row(scale, graph)), points / scale)


def _bell(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    return kernels.falling(graph, _scaled(kernel, x, points, graph), 0.5)


def _matern(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    """Returns `polynomial(t) * exp(-t)` for half-integer orders, with `t` the distance times `sqrt(2 nu)`."""
    import math

    if kernel.nu == math.inf:
        return _bell(kernel, x, points, graph)
    order = kernel.nu - 0.5
    if order != int(order):
        raise Unsupported(f"Matern(nu={kernel.nu}) is a Bessel function; supported: nu = 0.5, 1.5, 2.5, … and inf")
    p = int(order)
    t = graph.op("Mul", graph.op("Sqrt", _scaled(kernel, x, points, graph)), graph.const(math.sqrt(2 * kernel.nu)))
    value = ""
    for i in range(p + 1):  # from the highest power down
        factor = math.factorial(p) / math.factorial(2 * p) * 2.0 ** (p - i)
        factor *= math.factorial(p + i) / (math.factorial(i) * math.factorial(p - i))
        term = graph.const(factor)
        value = graph.op("Add", graph.op("Mul", value, t), term) if value else term
    falling = graph.op("Exp", graph.op("Neg", t))
    return graph.op("Mul", value, falling) if p else falling


def _rational(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    width = graph.const(2 * float(kernel.alpha) * float(kernel.length_scale) ** 2)
    base = graph.op("Add", graph.op("Div", kernels.squares(graph, x, points), width), graph.const(1.0))
    return graph.op("Pow", base, graph.const(-float(kernel.alpha)))


def _periodic(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    import math

    angle = graph.op(
        "Mul", graph.op("Sqrt", kernels.squares(graph, x, points)), graph.const(math.pi / kernel.periodicity)
    )
    wave = graph.op("Div", graph.op("Sin", angle), graph.const(float(kernel.length_scale)))
    return kernels.falling(graph, graph.op("Mul", wave, wave), 2.0)


def _product(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    return scores.gemm(graph, x, points.T, float(kernel.sigma_0) ** 2)


def _pairwise(kernel: Any, x: str, points: Any, graph: GraphBuilder) -> str:
    return kernels.named(graph, x, points, kernel.metric, _pairwise_settings(kernel))


def _pairwise_settings(kernel: Any) -> dict[str, Any]:
    return {"gamma": kernel.gamma, **(kernel.pairwise_kernels_kwargs or {})}


_COVARIANCES: dict[str, Kernel] = {
    "Sum": _joined("Add"),
    "Product": _joined("Mul"),
    "Exponentiation": _power,
    "ConstantKernel": _constant,
    "WhiteKernel": _noise,
    "RBF": _bell,
    "Matern": _matern,
    "RationalQuadratic": _rational,
    "ExpSineSquared": _periodic,
    "DotProduct": _product,
    "PairwiseKernel": _pairwise,
}


def variance(graph: GraphBuilder, frame: Frame, kernel: Any) -> str:
    """Returns the kernel of each row with itself, broadcastable to `[N, 1]`."""
    name = _known(kernel)
    if name in ("Sum", "Product"):
        parts = [variance(graph, frame, part) for part in (kernel.k1, kernel.k2)]
        return graph.op("Add" if name == "Sum" else "Mul", *parts)
    if name == "Exponentiation":
        return graph.op("Pow", variance(graph, frame, kernel.kernel), kernels.number(kernel.exponent, graph))
    if name == "DotProduct":
        return graph.op("Add", kernels.lengths(graph, frame), kernels.row(float(kernel.sigma_0) ** 2, graph))
    if name == "PairwiseKernel":
        x = graph.matrix(frame)
        return kernels.with_itself(graph, x.name, kernel.metric, _pairwise_settings(kernel), x.width)
    constant = {"ConstantKernel": "constant_value", "WhiteKernel": "noise_level"}
    return kernels.row(getattr(kernel, constant[name]) if name in constant else 1.0, graph)
