"""kernlab's kernels as `kernelMult` computes them, `[N, S]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder
from ._compensated_math import exponential
from ._form.form import Fields
from ._kernel_sums import columns_beside

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def kernel(graph: GraphBuilder, name: str, parameters: Fields, x: str, points: Array, exact: bool) -> str:
    """Returns the kernel of each row with each point. `exact`: with exponentials exact to the last bit."""
    if name == "anovakernel":
        return _anova(graph, parameters, x, points)
    if name == "splinekernel":
        return _spline(graph, x, points)
    inner = _inner(graph, x, points)
    if name == "rbfkernel":
        return _radial(graph, parameters.number("sigma"), x, points, inner, exact)
    moved = graph.op("Mul", inner, _one(graph, parameters.number("scale")))
    moved = graph.op("Add", moved, _one(graph, parameters.number("offset")))
    return (
        graph.op("Tanh", moved)
        if name == "tanhkernel"
        else _power(graph, moved, parameters.number("degree"), len(points))
    )


def _one(graph: GraphBuilder, value: float) -> str:
    return graph.const([[value]], "float64")


def _power(graph: GraphBuilder, x: str, power: float, width: int) -> str:
    """Uses an exponent per point: with a single one ONNX Runtime computes cubes by multiplication, and rounds twice."""
    import numpy as np

    if power == 1:
        return x
    return graph.op("Mul", x, x) if power == 2 else graph.op("Pow", x, graph.const(np.full((1, width), power)))


def _inner(graph: GraphBuilder, x: str, points: Array) -> str:
    total = ""
    for own, other in columns_beside(graph, x, points):
        term = graph.op("Mul", own, other)
        total = graph.op("Add", total, term) if total else term
    return total


def _radial(graph: GraphBuilder, sigma: float, x: str, points: Array, inner: str, exact: bool) -> str:
    """Computes from inner products, as R does: an infinite cell gives NaN where differences would give 0."""
    import numpy as np

    own = graph.op("ReduceSum", graph.op("Mul", x, x), graph.const([1], "int64"), keepdims=1)
    near = graph.op("Sub", graph.op("Mul", inner, _one(graph, 2.0)), graph.const(np.square(points).sum(axis=1)[None]))
    power = graph.op("Mul", graph.op("Sub", near, own), _one(graph, sigma))
    return exponential(graph, power) if exact else graph.op("Exp", power)


def _anova(graph: GraphBuilder, parameters: Fields, x: str, points: Array) -> str:
    """Raises each column's part to the degree, as `kernelMult` does; the kernel itself would raise their sum."""
    total, sigma = "", _one(graph, -parameters.number("sigma"))
    for own, other in columns_beside(graph, x, points):
        apart = graph.op("Sub", own, other)
        part = graph.op("Exp", graph.op("Mul", graph.op("Mul", apart, apart), sigma))
        part = _power(graph, part, parameters.number("degree"), len(points))
        total = graph.op("Add", total, part) if total else part
    return total


def _spline(graph: GraphBuilder, x: str, points: Array) -> str:
    total = ""
    for own, other in columns_beside(graph, x, points):
        both = graph.op("Add", own, other)
        product = graph.op("Mul", own, other)
        least = graph.op("Where", graph.op("Less", own, other), own, other)
        part = graph.op("Add", graph.op("Add", _one(graph, 1.0), product), graph.op("Mul", product, least))
        square = graph.op("Mul", least, least)
        part = graph.op("Sub", part, graph.op("Mul", graph.op("Div", both, _one(graph, 2.0)), square))
        part = graph.op("Add", part, graph.op("Div", graph.op("Mul", square, least), _one(graph, 3.0)))
        total = graph.op("Mul", total, part) if total else part
    return total
