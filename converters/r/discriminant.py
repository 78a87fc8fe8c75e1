"""MASS's `lda` and `qda`: groups by their distances, after R's own formulas for each method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder
from ._form.columns import Columns
from ._form.form import Fields
from ._labels import index_of_largest
from ._registry import Kind, Outputs
from ._regressors import regressors
from ._softmax import shares

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, x = columns.graph, regressors(fields, columns)
    find = _quadratic if fields.flag("quadratic") else _linear
    probabilities = find(graph, fields, x)
    return {
        "index": index_of_largest(graph, probabilities, len(fields.texts("classes"))),
        "probabilities": probabilities,
    }


def _share(graph: GraphBuilder, sizes: str) -> str:
    return graph.op("Div", sizes, graph.op("ReduceSum", sizes, graph.const([1], "int64"), keepdims=1))


def _squares(graph: GraphBuilder, x: str, centre: Array, scaling: Array) -> str:
    """Returns the squared distance from one centre, `[N, 1]`, in the coordinates of `scaling`."""
    apart = graph.op("Sub", x, graph.const(centre.reshape(1, -1)))
    turned = graph.op("MatMul", apart, graph.const(scaling)) if scaling.size else apart
    return graph.op("ReduceSum", graph.op("Mul", turned, turned), graph.const([1], "int64"), keepdims=1)


def _row(values: Any) -> Array:
    import numpy as np

    return np.asarray(values, np.float64).reshape(1, -1)


def _linear(graph: GraphBuilder, fields: Fields, x: str) -> str:
    import numpy as np

    prior, means, scaling = (fields.numbers(name) for name in ("prior", "means", "scaling"))
    centre = (prior[:, None] * means).sum(axis=0)
    groups = (means - centre) @ scaling
    turned = graph.op("MatMul", graph.op("Sub", x, graph.const(_row(centre))), graph.const(scaling))
    if fields.text("method") == "predictive":
        return _linear_predictive(graph, fields, turned, groups)
    used = int(fields.number("dimensions"))
    taken = graph.op("Gather", turned, graph.const(np.arange(used), "int64"), axis=1)
    groups = groups[:, :used]
    near = graph.op("MatMul", taken, graph.const(np.ascontiguousarray(groups.T)))
    half = 0.5 * np.square(groups).sum(axis=1)
    if fields.text("method") == "plug-in":
        return shares(graph, graph.op("Sub", near, graph.const(_row(half - np.log(prior)))))
    rows, count = fields.number("rows"), len(prior)
    ratio = np.full((1, count), (rows - count - used - 1) / (rows - count))
    distance = graph.op("Mul", graph.op("Sub", near, graph.const(_row(half))), graph.const(ratio))
    weight = np.log(prior) - used / fields.numbers("counts")
    return shares(graph, graph.op("Add", distance, graph.const(_row(weight))))


def _linear_predictive(graph: GraphBuilder, fields: Fields, turned: str, groups: Array) -> str:
    import numpy as np

    rows, counts, prior = fields.number("rows"), fields.numbers("counts"), fields.numbers("prior")
    wide = graph.op("Mul", turned, graph.const(np.full((1, groups.shape[1]), np.sqrt(rows / (rows - len(prior))))))
    parts = [_squares(graph, wide, centre, np.empty(0)) for centre in groups]
    scale = _row(counts / (rows * (counts + 1)))
    apart = graph.op("Add", graph.op("Mul", _beside(graph, parts), graph.const(scale)), graph.const([[1.0]]))
    power = np.full((1, len(prior)), -(rows - len(prior) + 1) / 2)
    factor = prior * (counts / (counts + 1)) ** (fields.numbers("means").shape[1] / 2)
    return _share(graph, graph.op("Mul", graph.op("Pow", apart, graph.const(power)), graph.const(_row(factor))))


def _beside(graph: GraphBuilder, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def _quadratic(graph: GraphBuilder, fields: Fields, x: str) -> str:
    import numpy as np

    means, scaling, counts = fields.numbers("means"), fields.numbers("scaling"), fields.numbers("counts")
    width, log_prior, spread = means.shape[1], np.log(fields.numbers("prior")), fields.numbers("determinants")
    each = [np.ascontiguousarray(scaling[:, :, i]) for i in range(len(means))]
    far = _beside(graph, [_squares(graph, x, centre, turn) for centre, turn in zip(means, each)])
    method = fields.text("method")
    if method == "predictive":
        apart = graph.op("Add", graph.op("Div", far, graph.const(_row(counts + 1))), graph.const([[1.0]]))
        size = graph.op("Pow", apart, graph.const(_row(-counts / 2)))
        size = graph.op("Mul", graph.const(_row(fields.numbers("prior") * np.exp(-spread / 2))), size)
        return _share(graph, graph.op("Mul", size, graph.const(_row((1 + counts) ** (-width / 2)))))
    scale, moved = np.full(len(means), 0.5), 0.5 * spread - log_prior
    if method == "debiased":
        scale = 0.5 * (1 - (width - 1) / (counts - 1))
        moved = moved + fields.numbers("bias")
    distance = graph.op("Add", graph.op("Mul", far, graph.const(_row(scale))), graph.const(_row(moved)))
    return shares(graph, graph.op("Neg", distance))


KIND = Kind(_convert)
