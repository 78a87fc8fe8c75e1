"""nnet's networks as nodes: at most one hidden layer, skip-layer connections, and the cut-offs of its C code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder
from ..spec import Unsupported
from ._form.form import Fields
from ._softmax import shares

if TYPE_CHECKING:
    import numpy as np

CUT_OFF = 15.0
"""In nnet's C code, the logistic function is 0 below the negative of this, and 1 above it."""


def network(graph: GraphBuilder, fields: Fields, x: str) -> str:
    """Returns the outputs `[N, T]` of the network that `_network.R` exports, for the inputs `[N, p]`."""
    inputs, hidden, outputs = fields.integers("sizes").tolist()
    before, units = 1 + inputs, x
    if hidden:
        inner = _logistic(graph, _layer(graph, fields, range(before, before + hidden), x))
        units = graph.op("Concat", x, inner, axis=1)
    sums = _layer(graph, fields, range(before + hidden, before + hidden + outputs), units)
    if fields.flag("softmax"):
        return shares(graph, sums)
    return _logistic(graph, sums) if fields.flag("logistic") else sums


def _logistic(graph: GraphBuilder, x: str) -> str:
    one, least, most = graph.const([[1.0]]), graph.const([[-CUT_OFF]]), graph.const([[CUT_OFF]])
    value = graph.op("Div", one, graph.op("Add", one, graph.op("Exp", graph.op("Neg", x))))
    value = graph.op("Where", graph.op("Less", x, least), graph.const([[0.0]]), value)
    return graph.op("Where", graph.op("Greater", x, most), one, value)


def _layer(graph: GraphBuilder, fields: Fields, layer: range, units: str) -> str:
    """Returns the weighted sums of a layer's units over earlier units; unit 0 is the bias, the first input unit 1."""
    import numpy as np

    read, weights = _weights(fields, layer)
    bias = weights[read == 0].sum(axis=0, keepdims=True) if (read == 0).any() else np.zeros((1, len(layer)))
    taken = read[read > 0]
    if not len(taken):
        raise Unsupported("a layer of the network reads nothing but its bias")
    chosen = graph.op("Gather", units, graph.const(taken - 1, "int64"), axis=1)
    product = graph.op("MatMul", chosen, graph.const(np.ascontiguousarray(weights[read > 0])))
    return graph.op("Add", product, graph.const(bias))


def _weights(fields: Fields, layer: range) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Returns the units that a layer reads, and its weights, `[units, layer]`."""
    import numpy as np

    starts, sources, weights = fields.integers("starts"), fields.integers("sources"), fields.numbers("weights")
    own = [np.arange(starts[unit], starts[unit + 1]) for unit in layer]
    read = np.unique(np.concatenate([sources[places] for places in own]))
    found = np.zeros((len(read), len(layer)))
    for column, places in enumerate(own):
        if len(np.unique(sources[places])) != len(read):
            raise Unsupported("the units of one layer of the network have different inputs, which has no converter")
        np.add.at(found[:, column], np.searchsorted(read, sources[places]), weights[places])
    return read, found
