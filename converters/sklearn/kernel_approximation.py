"""Kernel feature maps: chi-squared ones, and polynomials by count sketches."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._graph.cosine import cosine
from .._steps.step import Answer, Step, Thresholds
from ..spec import Unsupported
from . import _scores as scores
from ._outputs import block

INTERVALS = {1: 0.8, 2: 0.5, 3: 0.4}
"""The default interval between samples of AdditiveChi2Sampler."""


def additive(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `sqrt(x * interval)`, then cosines and sines of `log(x)`; 0 where x is 0."""
    import math

    x = graph.matrix(frame)
    steps = int(fitted.sample_steps)
    interval = float(INTERVALS[steps] if fitted.sample_interval is None else fitted.sample_interval)
    logarithm = graph.op("Mul", graph.op("Log", x.name), graph.const([[interval]]))
    doubled = graph.op("Mul", x.name, graph.const([[2 * interval]]))
    parts = [graph.op("Sqrt", graph.op("Mul", x.name, graph.const([[interval]])))]
    for j in range(1, steps):
        factor = graph.op("Sqrt", graph.op("Div", doubled, graph.const([[math.cosh(math.pi * j * interval)]])))
        angle = graph.op("Mul", logarithm, graph.const([[float(j)]]))
        parts += [graph.op("Mul", factor, wave) for wave in (cosine(graph, angle), graph.op("Sin", angle))]
    zero = graph.op("Equal", x.name, graph.const(0.0))
    parts = [graph.op("Where", zero, graph.const(0.0), part) for part in parts]
    name = parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)
    return block(name, x.width * len(parts), graph)


def skewed(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `cos(log(x + skewedness) @ random_weights_ + random_offset_)`, scaled."""
    import math

    moved = graph.op("Add", graph.matrix(frame).name, graph.const([[float(fitted.skewedness)]]))
    weights = fitted.random_weights_
    angle = scores.gemm(graph, graph.op("Log", moved), weights, fitted.random_offset_)
    scale = graph.const([[math.sqrt(2.0) / math.sqrt(weights.shape[1])]])
    return block(graph.op("Mul", cosine(graph, angle), scale), weights.shape[1], graph)


def _from_zero(fitted: Any) -> Thresholds:
    return [[0.0]] * int(fitted.n_features_in_)


def _above_skewedness(fitted: Any) -> Thresholds:
    return [[-float(fitted.skewedness)]] * int(fitted.n_features_in_)


def count_sketch(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Convolves `degree` sketches of x circularly: a product in the frequency domain.

    The transforms in both directions are matrices; the forward one is folded into the hashing.
    """
    import numpy as np

    x = graph.matrix(frame).name
    size = int(fitted.n_components)
    if size > 2048:
        raise Unsupported(f"PolynomialCountSketch(n_components={size}) makes the graph too large: use at most 2048")
    there, back = _frequencies(size)
    product: tuple[str, str] | None = None
    for spread, constant in _hashes(fitted, size):
        one = [scores.gemm(graph, x, spread @ wave, constant @ wave) for wave in there]
        product = (one[0], one[1]) if product is None else _times(graph, product, (one[0], one[1]))
    assert product is not None
    both = graph.op("Concat", *product, axis=1)
    return block(graph.op("Gemm", both, graph.const(np.vstack(back))), size, graph)


def _hashes(fitted: Any, size: int) -> list[tuple[Any, Any]]:
    """Returns, per factor, the sketch as a matrix `[F, size]`, and `coef0`'s constant contribution, `[1, size]`."""
    import numpy as np

    found = []
    for places, signs in zip(fitted.indexHash_, fitted.bitHash_):
        spread = np.zeros((len(places), size))
        spread[np.arange(len(places)), places] = signs
        features = int(fitted.n_features_in_)
        scaled = np.sqrt(fitted.gamma) * spread[:features]
        found.append((scaled, np.sqrt(fitted.coef0) * spread[features:].sum(axis=0, keepdims=True)))
    return found


def _frequencies(size: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Returns matrices of the real discrete Fourier transform: to real and imaginary parts, and back from both."""
    import numpy as np

    half = size // 2 + 1
    turns = np.outer(np.arange(size), np.arange(half)) % size * (2 * np.pi / size)
    times = np.full(half, 2.0)
    times[0] = 1.0
    if size % 2 == 0:
        times[-1] = 1.0
    back = (np.cos(turns) * times / size).T, (-np.sin(turns) * times / size).T
    return (np.cos(turns), -np.sin(turns)), back


def _times(graph: GraphBuilder, a: tuple[str, str], b: tuple[str, str]) -> tuple[str, str]:
    """Multiplies complex numbers."""

    def product(i: int, j: int) -> str:
        return graph.op("Mul", a[i], b[j])

    return graph.op("Sub", product(0, 0), product(1, 1)), graph.op("Add", product(0, 1), product(1, 0))


STEPS = {
    "AdditiveChi2Sampler": Step(additive, bounds=_from_zero, sparse=lambda fitted, given: given),
    "SkewedChi2Sampler": Step(skewed, bounds=_above_skewedness),
    "PolynomialCountSketch": Step(count_sketch),
}
