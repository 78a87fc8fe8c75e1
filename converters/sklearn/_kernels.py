"""Named kernels between the rows of a batch and fixed points, `[N, M]`, as in `sklearn.metrics.pairwise`.

Squared differences are added sequentially by feature, as in scipy: a periodic kernel turns the last digit of a
large distance into a different result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder
from ..spec import INTEGERS, Unsupported
from . import _scores as scores
from ._neighbors import distances as distances

UNROLLED = 100
"""Up to this many features, distances take one node per feature, and the memory of one."""

Named = Callable[[Mapping[str, Any], str, Any, GraphBuilder], str]
"""Maps the settings of a kernel, the rows `[N, F]` and points `[M, F]` to values `[N, M]`."""


def dense(matrix: Any) -> Any:
    """Returns a dense or sparse matrix as an array of doubles."""
    import numpy as np

    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, np.float64)


def row(value: Any, graph: GraphBuilder) -> str:
    """Returns the numbers as a constant `[1, n]`."""
    import numpy as np

    return graph.const(np.asarray(value, np.float64).reshape(1, -1))


def squares(graph: GraphBuilder, x: str, points: Any) -> str:
    """Returns squared Euclidean distances, `[N, M]`."""
    if points.shape[1] > UNROLLED:
        return distances.between(graph, x, points, "sqeuclidean")
    return _summed(graph, x, points, lambda column, _: graph.op("Mul", column, column))


def _manhattan(graph: GraphBuilder, x: str, points: Any) -> str:
    if points.shape[1] > UNROLLED:
        return distances.between(graph, x, points, "manhattan")
    return _summed(graph, x, points, lambda column, _: graph.op("Abs", column))


def _summed(graph: GraphBuilder, x: str, points: Any, term: Callable[[str, int], str]) -> str:
    """Sums `term(x - point, feature)` over the features."""
    total = ""
    for i in range(points.shape[1]):
        apart = graph.op("Sub", scores.pick(graph, x, i), graph.const(points[:, i][None, :]))
        total = graph.op("Add", total, term(apart, i)) if total else term(apart, i)
    return total


def named(graph: GraphBuilder, x: str, points: Any, kind: Any, settings: Mapping[str, Any]) -> str:
    """`pairwise_kernels(X, points, kind, filter_params=True, **settings)`, `[N, M]`; a missing `gamma` is 1 / F."""
    if kind == "precomputed":
        return x
    if kind not in _NAMED:
        what = repr(kind) if isinstance(kind, str) else getattr(kind, "__name__", type(kind).__name__)
        raise Unsupported(f"the kernel {what} has no converter; supported: {sorted(_NAMED)}")
    return _NAMED[kind](_complete(kind, settings, points.shape[1]), x, points, graph)


def _complete(kind: str, settings: Mapping[str, Any], width: int) -> dict[str, Any]:
    given = {k: v for k, v in settings.items() if v is not None}
    return {"gamma": 1.0 if kind == "chi2" else 1.0 / width, "degree": 3, "coef0": 1, **given}


def _of_products(kind: str) -> Named:
    """Returns the linear, polynomial or sigmoid kernel."""

    def of(settings: Mapping[str, Any], x: str, points: Any, graph: GraphBuilder) -> str:
        return _after_product(kind, settings, scores.gemm(graph, x, points.T, 0.0), graph)

    return of


def _after_product(kind: str, settings: Mapping[str, Any], product: str, graph: GraphBuilder) -> str:
    if kind == "linear":
        return product
    scaled = graph.op("Mul", product, graph.const(float(settings["gamma"])))
    moved = graph.op("Add", scaled, graph.const(float(settings["coef0"])))
    return graph.op("Tanh", moved) if kind == "sigmoid" else graph.op("Pow", moved, number(settings["degree"], graph))


def number(value: Any, graph: GraphBuilder) -> str:
    """Returns the number as a constant."""
    return graph.const(float(value))


def falling(graph: GraphBuilder, away: str, speed: float) -> str:
    """Returns `exp(-speed * away)`."""
    return graph.op("Exp", graph.op("Mul", away, graph.const(-float(speed))))


def _rbf(settings: Mapping[str, Any], x: str, points: Any, graph: GraphBuilder) -> str:
    return falling(graph, expanded(graph, x, points), settings["gamma"])


def expanded(graph: GraphBuilder, x: str, points: Any) -> str:
    """Returns squared distances, rounded as in `euclidean_distances`: later steps may amplify that a million times.

    In float32 the expansion loses too much, and nothing rounds as in the original anyway.
    """
    import numpy as np

    if graph.real == "float32":
        return squares(graph, x, points)
    crossed = scores.gemm(graph, x, -2.0 * points.T, 0.0)
    whole = graph.op("Add", crossed, own_squares(graph, x, points.shape[1]))
    whole = graph.op("Add", whole, row(np.einsum("ij,ij->i", points, points), graph))
    return graph.op("Max", whole, graph.const(0.0))


def integers(frame: Frame) -> bool:
    """Returns whether the original receives a matrix of integers."""
    return all(value.dtype in INTEGERS for value in frame)


def lengths(graph: GraphBuilder, frame: Frame) -> str:
    """Returns the squared norm of each row, `[N, 1]`; for integers in 64 bits, with numpy's overflow.

    Integers are added sequentially: a sum over an axis loses their last digits.
    """
    if not integers(frame):
        x = graph.matrix(frame)
        return own_squares(graph, x.name, x.width)
    x = graph.matrix(frame, "int64")
    square = graph.op("Mul", x.name, x.name)
    total = scores.pick(graph, square, 0)
    for i in range(1, x.width):
        total = graph.op("Add", total, scores.pick(graph, square, i))
    return scores.as_real(graph, total)


def own_squares(graph: GraphBuilder, x: str, width: int) -> str:
    """Returns the squared norm of each row, `[N, 1]`, added in two lanes in the order of numpy's `einsum`."""
    if width > UNROLLED or graph.real == "float32":
        return graph.op("ReduceSumSquare", x, graph.const([1], "int64"), keepdims=1)
    square = graph.op("Mul", x, x)
    if width % 2:
        square = graph.op("Pad", square, graph.const([0, 0, 0, 1], "int64"))
    blocks = [4 * b + i for b in range(width // 8) for i in (3, 2, 1, 0)]
    total = ""
    for pair in [*blocks, *range(len(blocks), (width + 1) // 2)]:
        lanes = graph.op("Gather", square, graph.const([2 * pair, 2 * pair + 1], "int64"), axis=1)
        total = graph.op("Add", total, lanes) if total else lanes
    return graph.op("ReduceSum", total, graph.const([1], "int64"), keepdims=1)


def _laplacian(settings: Mapping[str, Any], x: str, points: Any, graph: GraphBuilder) -> str:
    return falling(graph, _manhattan(graph, x, points), settings["gamma"])


def _cosine(settings: Mapping[str, Any], x: str, points: Any, graph: GraphBuilder) -> str:
    import numpy as np

    lengths = np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
    own = graph.op("Sqrt", own_squares(graph, x, points.shape[1]))
    own = graph.op("Where", graph.op("Equal", own, graph.const(0.0)), graph.const(1.0), own)
    return scores.gemm(graph, graph.op("Div", x, own), (points / np.where(lengths == 0, 1.0, lengths)).T, 0.0)


def _additive_chi2(settings: Mapping[str, Any], x: str, points: Any, graph: GraphBuilder) -> str:
    """Returns `-sum((x - y)² / (x + y))`, without the features where both are 0."""

    def term(apart: str, i: int) -> str:
        both = graph.op("Add", scores.pick(graph, x, i), graph.const(points[:, i][None, :]))
        none = graph.op("Equal", both, graph.const(0.0))
        share = graph.op("Div", graph.op("Mul", apart, apart), graph.op("Where", none, graph.const(1.0), both))
        return graph.op("Where", none, graph.const(0.0), share)

    return graph.op("Neg", _summed(graph, x, points, term))


def _chi2(settings: Mapping[str, Any], x: str, points: Any, graph: GraphBuilder) -> str:
    away = graph.op("Neg", _additive_chi2(settings, x, points, graph))
    return falling(graph, away, settings["gamma"])


_PRODUCTS = ("linear", "poly", "polynomial", "sigmoid")
_NAMED: dict[str, Named] = {
    **{kind: _of_products(kind) for kind in _PRODUCTS},
    "rbf": _rbf,
    "laplacian": _laplacian,
    "cosine": _cosine,
    "additive_chi2": _additive_chi2,
    "chi2": _chi2,
}


def with_itself(graph: GraphBuilder, x: str, kind: str, settings: Mapping[str, Any], width: int) -> str:
    """Returns the kernel of each row with itself, broadcastable to `[N, 1]`."""
    if kind in _PRODUCTS:
        return _after_product(kind, _complete(kind, settings, width), own_squares(graph, x, width), graph)
    if kind == "cosine":
        return scores.as_real(graph, graph.op("Greater", own_squares(graph, x, width), graph.const(0.0)))
    return row(0.0 if kind == "additive_chi2" else 1.0, graph)
