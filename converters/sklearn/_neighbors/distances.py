"""Distances from each row to a set of fixed points, `[N, M]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..._graph.builder import GraphBuilder
from ...spec import Unsupported
from .. import _scores as scores

NARROW = 128
"""Up to this many columns, distances are summed column by column: less memory, and faster."""


@dataclass(frozen=True)
class Metric:
    """A metric by scikit-learn's name, and its settings (`p`, `w`, `V`, `VI`)."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


_NAMES = {
    **dict.fromkeys(("euclidean", "l2"), "euclidean"),
    **dict.fromkeys(("manhattan", "cityblock", "l1"), "manhattan"),
    **{n: n for n in ("sqeuclidean", "chebyshev", "seuclidean", "mahalanobis", "canberra", "braycurtis", "hamming")},
    **{n: n for n in ("cosine", "haversine")},
    "infinity": "chebyshev",
}


def metric_of(fitted: Any) -> Metric:
    """Returns the metric of a fitted neighbours search; raises `Unsupported` where there is no graph for it."""
    name = getattr(fitted.effective_metric_, "__name__", fitted.effective_metric_)
    settings = {k: v for k, v in (fitted.effective_metric_params_ or {}).items() if v is not None}
    return named(type(fitted).__name__, name if isinstance(fitted.effective_metric_, str) else f"{name}()", settings)


def named(kind: str, name: str, settings: dict[str, Any]) -> Metric:
    """Returns the metric called `name`, simplified where its settings allow."""
    known = {"p": {"p", "w"}, "minkowski": {"p", "w"}, "seuclidean": {"V"}, "mahalanobis": {"V", "VI"}}
    if name in ("minkowski", "p") and settings.get("w") is None:
        p = settings.get("p", 2)
        plain = {1: "manhattan", 2: "euclidean", float("inf"): "chebyshev"}.get(p)
        return Metric(plain) if plain else Metric("minkowski", {"p": float(p)})
    if name == "nan_euclidean":
        raise Unsupported(f"{kind}(metric='nan_euclidean') chooses arbitrary training rows for a row of missing values")
    extra = set(settings) - known.get(name, set()) - {"p"}
    bare = name in ("mahalanobis", "seuclidean") and not settings
    if extra or bare or (name not in _NAMES and name not in ("minkowski", "p")):
        raise Unsupported(f"{kind} has the metric {name!r} with {settings}, which has no converter")
    kept = {k: v for k, v in settings.items() if k in known.get(name, set())}
    return Metric(_NAMES.get(name, "minkowski"), {"p": 2.0, **kept} if name in ("minkowski", "p") else kept)


def distances(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """Returns the distances themselves."""
    return finished(graph, ranks(graph, x, points, metric), metric)


def ranks(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """Returns values in the same order as the distances, and computed before them: squares, sums of powers."""
    special = {"cosine": _cosine, "haversine": _haversine, "nan_euclidean": _nan_euclidean, "mahalanobis": _mahalanobis}
    if metric.name in special:
        return special[metric.name](graph, x, points, metric)
    if metric.name in ("canberra", "braycurtis", "hamming", "seuclidean", "minkowski"):
        return _by_columns(graph, x, points, metric)
    return between(graph, x, points, "sqeuclidean" if metric.name == "euclidean" else metric.name)


def finished(graph: GraphBuilder, rank: str, metric: Metric) -> str:
    """Returns distances from their ranks."""
    if metric.name in ("euclidean", "seuclidean", "mahalanobis"):
        return graph.op("Sqrt", rank)
    if metric.name == "minkowski":
        return graph.op("Pow", rank, graph.const(1.0 / metric.settings["p"]))
    return _twice_arcsine_of_root(graph, rank) if metric.name == "haversine" else rank


def rank_of(radius: float, metric: Metric) -> float:
    """Returns a distance as a rank, rounded as in the original."""
    from math import pi, sin

    if metric.name == "haversine" and radius > pi:
        raise Unsupported(
            f"radius={radius} is more than half the globe, for which the original misses rows in some leaves of its "
            "tree: fit with a radius of at most pi"
        )
    if metric.name in ("euclidean", "seuclidean", "mahalanobis"):
        return radius * radius
    if metric.name == "minkowski":
        return float(radius ** metric.settings["p"])
    return sin(0.5 * radius) ** 2 if metric.name == "haversine" else radius


def between(graph: GraphBuilder, x: str, points: Any, metric: str) -> str:
    """Returns distances by direct differences, accurate to the last digits wherever the points are.

    `metric`: `sqeuclidean`, `manhattan` or `chebyshev`.
    """
    if points.shape[1] <= NARROW and metric != "chebyshev":
        return _by_columns(graph, x, points, Metric(metric))
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), graph.const(points))
    kind = {"sqeuclidean": "ReduceSumSquare", "manhattan": "ReduceL1", "chebyshev": "ReduceMax"}[metric]
    value = graph.op("Abs", apart) if metric == "chebyshev" else apart
    return graph.op(kind, value, graph.const([2], "int64"), keepdims=0)


def _by_columns(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """Sums column by column, as the search trees do."""
    total, scale = "", ""
    for i in range(points.shape[1]):
        own, other = scores.pick(graph, x, i), graph.const(points[:, i][None])
        term = _term(graph, own, other, metric, i, len(points))
        total = graph.op("Add", total, term) if total else term
        if metric.name == "braycurtis":
            size = graph.op("Add", graph.op("Abs", own), graph.op("Abs", other))
            scale = graph.op("Add", scale, size) if scale else size
    if metric.name == "hamming":
        return graph.op("Div", total, graph.const(float(points.shape[1])))
    return _share(graph, total, scale) if scale else total


def _term(graph: GraphBuilder, own: str, other: str, metric: Metric, i: int, points: int) -> str:
    """Returns one column's contribution, for that many points."""
    import numpy as np

    if metric.name == "hamming":
        return scores.as_real(graph, graph.op("Not", graph.op("Equal", own, other)))
    apart = graph.op("Sub", own, other)
    if metric.name in ("sqeuclidean", "seuclidean"):
        square = graph.op("Mul", apart, apart)
        return square if metric.name == "sqeuclidean" else graph.op("Div", square, _setting(graph, metric, "V", i))
    size = graph.op("Abs", apart)
    if metric.name == "canberra":
        return _share(graph, size, graph.op("Add", graph.op("Abs", own), graph.op("Abs", other)))
    if metric.name == "minkowski":
        # an exponent per point: with a single one, ONNX Runtime multiplies for cubes, which rounds differently
        power = graph.op("Pow", size, graph.const(np.full((1, points), metric.settings["p"])))
        return graph.op("Mul", power, _setting(graph, metric, "w", i)) if "w" in metric.settings else power
    return size


def _setting(graph: GraphBuilder, metric: Metric, name: str, i: int) -> str:
    import numpy as np

    return graph.const(np.asarray(metric.settings[name], np.float64)[i : i + 1][None])


def _share(graph: GraphBuilder, part: str, whole: str) -> str:
    """Returns `part / whole`, and 0 where the whole is 0."""
    none = graph.op("Equal", whole, graph.const(0.0))
    return graph.op("Div", part, graph.op("Where", none, graph.const(1.0), whole))


def _mahalanobis(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    import numpy as np

    given = metric.settings
    inverse = np.asarray(given["VI"] if "VI" in given else np.linalg.inv(given["V"]), np.float64)
    apart = graph.op("Sub", graph.op("Unsqueeze", x, graph.const([1], "int64")), graph.const(points))
    turned = graph.op("MatMul", apart, graph.const(inverse.T))
    return graph.op("ReduceSum", graph.op("Mul", turned, apart), graph.const([2], "int64"), keepdims=0)


def _cosine(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """Returns 1 minus the cosine of the angle, between 0 and 2; 1 where a row is all zero."""
    import numpy as np

    length = np.sqrt(np.square(points).sum(axis=1, keepdims=True))
    axis = graph.const([1], "int64")
    own = graph.op("Sqrt", graph.op("ReduceSumSquare", x, axis, keepdims=1))
    none = graph.op("Equal", own, graph.const(0.0))
    unit = graph.op("Div", x, graph.op("Where", none, graph.const(1.0), own))
    alike = graph.op("Gemm", unit, graph.const((points / np.where(length == 0, 1.0, length)).T))
    apart = graph.op("Sub", graph.const([[1.0]]), alike)
    return graph.op("Min", graph.op("Max", apart, graph.const(0.0)), graph.const(2.0))


def _haversine(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    import numpy as np

    sines = []
    for i in range(2):
        half = graph.op("Mul", graph.const([[0.5]]), graph.op("Sub", scores.pick(graph, x, i), _row(graph, points, i)))
        sine = graph.op("Sin", half)
        sines.append(graph.op("Mul", sine, sine))
    cosines = graph.op("Mul", _cosine_of(graph, scores.pick(graph, x, 0)), graph.const(np.cos(points[:, 0])[None]))
    return graph.op("Add", sines[0], graph.op("Mul", cosines, sines[1]))


def _cosine_of(graph: GraphBuilder, angle: str) -> str:
    """`cos(angle)` as `1 - 2 sin(angle / 2)^2`: ONNX Runtime 1.28 has no cosine of doubles."""
    sine = graph.op("Sin", graph.op("Mul", angle, graph.const([[0.5]])))
    return graph.op("Sub", graph.const([[1.0]]), graph.op("Mul", graph.const([[2.0]]), graph.op("Mul", sine, sine)))


def _row(graph: GraphBuilder, points: Any, i: int) -> str:
    return graph.const(points[:, i][None])


def _twice_arcsine_of_root(graph: GraphBuilder, square: str) -> str:
    """`2 asin(sqrt(square))`: a float32 estimate, then Newton steps, since there is no arcsine of doubles."""
    from onnx import TensorProto

    one, half = graph.const([[1.0]]), graph.const([[0.5]])
    kept = graph.op("Min", graph.op("Max", square, graph.const(0.0)), one)
    near = graph.op("LessOrEqual", kept, half)
    sine = graph.op("Sqrt", graph.op("Where", near, kept, graph.op("Sub", one, kept)))
    angle = graph.op("Asin", graph.op("Cast", sine, to=TensorProto.FLOAT))
    angle = scores.as_real(graph, angle)
    for _ in range(2):
        error = graph.op("Sub", graph.op("Sin", angle), sine)
        angle = graph.op("Sub", angle, graph.op("Div", error, _cosine_of(graph, angle)))
    twice = graph.op("Add", angle, angle)
    return graph.op("Where", near, twice, graph.op("Sub", graph.const([[3.141592653589793]]), twice))


def _nan_euclidean(graph: GraphBuilder, x: str, points: Any, metric: Metric) -> str:
    """Sums over the columns present in both, scaled up to all columns; NaN where there are none."""
    import numpy as np

    total = ""
    for i in range(points.shape[1]):
        apart = graph.op("Sub", scores.pick(graph, x, i), _row(graph, points, i))
        square = graph.op("Mul", apart, apart)
        known = graph.op("Where", graph.op("IsNaN", square), graph.const(0.0), square)
        total = graph.op("Add", total, known) if total else known
    here = scores.as_real(graph, graph.op("Not", graph.op("IsNaN", x)))
    shared = graph.op("Gemm", here, graph.const((~np.isnan(points)).astype(float).T))
    whole = graph.const([[float(points.shape[1])]])
    return graph.op("Sqrt", graph.op("Mul", graph.op("Div", total, shared), whole))


def squared_by_product(graph: GraphBuilder, x: str, points: Any) -> str:
    """Returns squared Euclidean distances from one matrix product around the points' mean: little memory, and fast."""
    import numpy as np

    middle = points.mean(axis=0)
    centred = points - middle
    moved = graph.op("Sub", x, graph.const(middle))
    own = graph.op("ReduceSumSquare", moved, graph.const([1], "int64"), keepdims=1)
    crossed = graph.op("Gemm", moved, graph.const(-2 * centred.T), graph.const(np.square(centred).sum(axis=1)))
    return graph.op("Max", graph.op("Add", crossed, own), graph.const(0.0))


def nearness(graph: GraphBuilder, x: str, points: Any) -> str:
    """Returns squared distances minus each row's own square: the same order of points, without the row's magnitude."""
    import numpy as np

    middle = points.mean(axis=0)
    centred = points - middle
    moved = graph.op("Sub", x, graph.const(middle))
    return graph.op("Gemm", moved, graph.const(-2 * centred.T), graph.const(np.square(centred).sum(axis=1)))
