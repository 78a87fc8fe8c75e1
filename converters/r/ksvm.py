"""kernlab's `ksvm`: pairwise machines with votes or probabilities, joint machines, one class, regressions."""

from __future__ import annotations

from .._graph.builder import GraphBuilder
from .._graph.floats import Reals
from ._compensated_math import shows_last_bits, summed
from ._form.columns import Columns
from ._form.form import Fields
from ._kernlab import kernel
from ._one_vs_one import most_votes, votes
from ._pairwise_coupling_kernlab import minpair
from ._registry import Kind, Outputs
from ._regressors import regressors
from ._rows import any_missing, row_of


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, m = columns.graph, Reals(columns.graph, "float64")
    raw = regressors(fields, columns)
    gone = any_missing(graph, raw)
    x = m.divide(m.subtract(raw, row_of(graph, fields, "center")), row_of(graph, fields, "width"))
    sums = [_sums(graph, fields, machine, x) for machine in fields.each("machines")]
    decision = sums[0] if len(sums) == 1 else graph.op("Concat", *sums, axis=1)
    numbers = _numbers(graph, fields, decision)
    kept = {name: m.where(gone, m.n(float("nan")), value) for name, value in numbers.items()}
    if fields.text("type") == "regression":
        return kept
    index = _index(graph, fields, decision)
    count = graph.const(len(fields.texts("classes")), "int64")
    flat = graph.op("Squeeze", gone, graph.const([1], "int64"))
    return {"index": graph.op("Where", flat, count, index), **kept}


def _sums(graph: GraphBuilder, fields: Fields, machine: Fields, x: str) -> str:
    """Returns the sums of one machine, `[N, T]`."""
    weights, moved = machine.numbers("weights"), graph.const(machine.numbers("moved").reshape(1, -1))
    name, parameters = fields.text("kernel"), fields.of("parameters") if fields.has("parameters") else Fields({})
    if name == "vanillakernel":
        return graph.op("Add", graph.op("MatMul", x, graph.const(weights)), moved)
    value = kernel(graph, name, parameters, x, machine.numbers("vectors"), shows_last_bits(weights))
    if weights.shape[1] == 1:
        return graph.op("Add", summed(graph, value, weights[:, 0]), moved)
    return graph.op("Add", graph.op("MatMul", value, graph.const(weights)), moved)


def _numbers(graph: GraphBuilder, fields: Fields, decision: str) -> Outputs:
    """Returns R's numeric outputs, by name."""
    kind = fields.text("type")
    if kind == "regression":
        if not fields.has("unit"):
            return {"prediction": decision}
        center, width = fields.numbers("unit").reshape(2, 1, 1)
        return {"prediction": graph.op("Add", graph.op("Mul", decision, graph.const(width)), graph.const(center))}
    if kind == "joint":
        return {"votes": decision}
    if not fields.has("slope"):
        return {"decision": decision}
    return {"probabilities": _probabilities(graph, fields, decision), "decision": decision}


def _probabilities(graph: GraphBuilder, fields: Fields, decision: str) -> str:
    """Computes probabilities; where a decision is NaN, R treats the pair as certain."""
    m = Reals(graph, "float64")
    fit = m.add(m.multiply(decision, row_of(graph, fields, "slope")), row_of(graph, fields, "offset"))
    second = m.divide(m.n(1.0), m.add(m.n(1.0), m.exp(fit)))
    second = m.where(graph.op("IsNaN", fit), m.n(0.0), second)
    return minpair(graph, m.subtract(m.n(1.0), second), len(fields.texts("classes")))


def _index(graph: GraphBuilder, fields: Fields, decision: str) -> str:
    """Returns the position of the label, `int64 [N]`."""
    zero, kind = graph.const([[0.0]]), fields.text("type")
    none = graph.op("IsNaN", decision)
    if kind == "joint":
        return graph.op("ArgMax", graph.op("Where", none, graph.const([[-float("inf")]]), decision), axis=1, keepdims=0)
    if kind == "pairs":
        first, second = graph.op("Less", decision, zero), graph.op("Greater", decision, zero)
        return most_votes(graph, votes(graph, first, second, len(fields.texts("classes"))))
    inside = graph.op("Cast", graph.op("Greater", decision, zero), to=_INT64)
    place = graph.op("Where", none, graph.const([[2]], "int64"), inside)
    return graph.op("Squeeze", place, graph.const([1], "int64"))


_INT64 = 7
KIND = Kind(_convert)
