"""e1071's `svm`: libsvm's machines, their votes, and probabilities after Platt and by pairwise coupling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._graph.builder import GraphBuilder
from .._graph.floats import Reals
from .._graph.pairwise_coupling import coupled
from ._compensated_math import exponential, shows_last_bits, summed
from ._form.columns import Columns
from ._form.form import Fields
from ._kernel_sums import inner_products, squared_distances
from ._one_vs_one import most_votes, pairs, votes
from ._registry import Kind, Outputs
from ._regressors import regressors
from ._rows import any_missing, row_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEAST = 1e-7
"""libsvm's minimum distance of a pair's probability from 0 and 1."""


def _convert(fields: Fields, columns: Columns) -> Outputs:
    graph, m = columns.graph, Reals(columns.graph, "float64")
    raw = regressors(fields, columns)
    gone = any_missing(graph, raw)
    x = m.divide(m.subtract(raw, row_of(graph, fields, "center")), row_of(graph, fields, "width"))
    decision = _decisions(graph, fields, _kernel(graph, fields, x))
    kept = {name: m.where(gone, m.n(float("nan")), value) for name, value in _numbers(graph, fields, decision).items()}
    if fields.text("type") == "regression":
        return kept
    index = _index(graph, fields, decision, kept)
    count = graph.const(len(fields.texts("classes")), "int64")
    flat = graph.op("Squeeze", gone, graph.const([1], "int64"))
    return {"index": graph.op("Where", flat, count, index), **kept}


def _kernel(graph: GraphBuilder, fields: Fields, x: str) -> str:
    """Returns the kernel of each row with each support vector, `[N, S]`, in the order of libsvm's own operations."""
    vectors, gamma = fields.numbers("vectors"), graph.const([[fields.number("gamma")]])
    kind = fields.text("kernel")
    if kind == "radial":
        falling = graph.op("Neg", graph.op("Mul", squared_distances(graph, x, vectors), gamma))
        exact = shows_last_bits(fields.numbers("weights"))
        return exponential(graph, falling) if exact else graph.op("Exp", falling)
    inner = inner_products(graph, x, vectors)
    if kind == "linear":
        return inner
    moved = graph.op("Add", graph.op("Mul", inner, gamma), graph.const([[fields.number("coef0")]]))
    return graph.op("Tanh", moved) if kind == "sigmoid" else _raised(graph, moved, int(fields.number("degree")))


def _raised(graph: GraphBuilder, base: str, power: int) -> str:
    """Raises to an integer power by squaring, as libsvm does."""
    found = ""
    while power > 0:
        if power % 2:
            found = graph.op("Mul", found, base) if found else base
        base, power = graph.op("Mul", base, base), power // 2
    return found or graph.op("Pow", base, graph.const([[0.0]]))


def _decisions(graph: GraphBuilder, fields: Fields, kernel: str) -> str:
    """Returns the weighted sums, `[N, P]`: one per pair of classes, or one."""
    weights, rho = fields.numbers("weights"), fields.numbers("rho")
    counts = fields.integers("counts")
    parts = _of_pairs(weights, counts) if fields.text("type") == "classes" else [(None, weights[:, 0])]
    sums = [summed(graph, _taken(graph, kernel, places), own) for places, own in parts]
    both = sums[0] if len(sums) == 1 else graph.op("Concat", *sums, axis=1)
    return graph.op("Sub", both, graph.const(rho[: len(sums)].reshape(1, -1)))


def _taken(graph: GraphBuilder, kernel: str, places: Array | None) -> str:
    return kernel if places is None else graph.op("Gather", kernel, graph.const(places, "int64"), axis=1)


def _of_pairs(weights: Array, counts: Array) -> list[tuple[Array | None, Array]]:
    """Returns, per decision between two classes, its support vectors (None: all) and their weights."""
    import numpy as np

    ends = np.concatenate([[0], np.cumsum(counts)])
    found: list[tuple[Array | None, Array]] = []
    for i, j in pairs(len(counts)):
        first, second = np.arange(ends[i], ends[i + 1]), np.arange(ends[j], ends[j + 1])
        own = np.concatenate([weights[first, j - 1], weights[second, i]])
        found.append((None if len(counts) == 2 else np.concatenate([first, second]), own))
    return found


def _numbers(graph: GraphBuilder, fields: Fields, decision: str) -> Outputs:
    """Returns R's numeric outputs, by name."""
    if fields.text("type") == "regression":
        if not fields.has("unit"):
            return {"prediction": decision}
        center, width = fields.numbers("unit").reshape(2, 1, 1)
        return {"prediction": graph.op("Add", graph.op("Mul", decision, graph.const(width)), graph.const(center))}
    if not fields.has("slope"):
        return {"decision": decision}
    return {"probabilities": _probabilities(graph, fields, decision), "decision": decision}


def _probabilities(graph: GraphBuilder, fields: Fields, decision: str) -> str:
    m = Reals(graph, "float64")
    fit = m.add(m.multiply(decision, row_of(graph, fields, "slope")), row_of(graph, fields, "offset"))
    pair = m.divide(m.n(1.0), m.add(m.n(1.0), m.exp(fit)))
    least, most = m.n(LEAST), m.n(1 - LEAST)
    pair = m.where(graph.op("Greater", pair, least), pair, least)  # NaN becomes the minimum, as in libsvm
    pair = m.where(graph.op("Less", pair, most), pair, most)
    count = len(fields.texts("classes"))
    both = graph.op("Concat", pair, m.subtract(m.n(1.0), pair), axis=1) if count == 2 else coupled(graph, pair, count)
    return graph.op("Gather", both, _order(graph, fields), axis=1)


def _order(graph: GraphBuilder, fields: Fields) -> str:
    """Returns each class's position among libsvm's, which are in the order of their first rows."""
    return graph.const(fields.integers("order"), "int64")


def _index(graph: GraphBuilder, fields: Fields, decision: str, answers: Outputs) -> str:
    """Returns the position of the label, `int64 [N]`."""
    import numpy as np

    if fields.text("type") == "one":
        inside = graph.op("Greater", decision, graph.const([[0.0]]))
        return graph.op("Squeeze", graph.op("Cast", inside, to=_INT64), graph.const([1], "int64"))
    back = np.argsort(fields.integers("order"))  # the class at each of libsvm's positions
    if "probabilities" in answers:
        own = graph.op("Gather", answers["probabilities"], graph.const(back, "int64"), axis=1)
        clean = graph.op("Where", graph.op("IsNaN", own), graph.const([[0.0]]), own)
        best = graph.op("ArgMax", clean, axis=1, keepdims=0)
    else:
        first = graph.op("Greater", decision, graph.const([[0.0]]))
        best = most_votes(graph, votes(graph, first, graph.op("Not", first), len(back)))
    return graph.op("Gather", graph.const(back, "int64"), best)


_INT64 = 7
KIND = Kind(_convert)
