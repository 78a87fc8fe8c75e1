"""Turns scores into labels and probabilities, as scikit-learn's own code does."""

from __future__ import annotations

from typing import Any

from .._graph.builder import GraphBuilder
from .._graph.sparse import times


def gemm(graph: GraphBuilder, x: str, weights: Any, bias: Any) -> str:
    """Returns `x @ weights + bias`, `[N, T]`, for `weights` `[F, T]` and a bias of one number or `T`.

    Never `MatMul`: ONNX Runtime fuses one with an adjacent scalar `Mul` or `Div`, and keeps the scalar in float32.
    """
    import numpy as np

    weights = np.asarray(weights, np.float64)
    full = np.broadcast_to(np.asarray(bias, np.float64).ravel(), (weights.shape[1],))
    if x in graph.sparse:
        return times(graph.sparse[x], weights, full, graph)
    if not full.any():
        return graph.op("Gemm", x, graph.const(weights))
    return graph.op("Gemm", x, graph.const(weights), graph.const(full))


def column(graph: GraphBuilder, value: str) -> str:
    """Returns the value as `[N, 1]`."""
    return graph.op("Reshape", value, graph.const([-1, 1], "int64"))


def flat(graph: GraphBuilder, value: str) -> str:
    """Returns the value as `[N]`."""
    return graph.op("Reshape", value, graph.const([-1], "int64"))


def pick(graph: GraphBuilder, value: str, position: int) -> str:
    """Returns one column of the value as `[N, 1]`."""
    return graph.op("Gather", value, graph.const([position], "int64"), axis=1)


def expit(graph: GraphBuilder, value: str) -> str:
    """`1 / (1 + exp(-value))`, written out: the operator `Sigmoid` loses the far negative tail."""
    return inverse_logit_of_negative(graph, graph.op("Neg", value))


def inverse_logit_of_negative(graph: GraphBuilder, value: str) -> str:
    """`1 / (1 + exp(value))`."""
    one = graph.const(1.0)
    return graph.op("Div", one, graph.op("Add", one, graph.op("Exp", value)))


def sigmoid(graph: GraphBuilder, value: str) -> str:
    """The logistic function, in one node where the type is coarser than the error of `Sigmoid`."""
    return graph.op("Sigmoid", value) if graph.real == "float32" else expit(graph, value)


def softmax(graph: GraphBuilder, value: str) -> str:
    """The softmax of each row."""
    return graph.op("Softmax", value, axis=1)


def exp_normalised(graph: GraphBuilder, log_joint: str) -> str:
    """`exp(log_joint - logsumexp(log_joint))` of each row, rounded as in the original."""
    return graph.op("Exp", graph.op("Sub", log_joint, log_sum(graph, log_joint)))


def log_sum(graph: GraphBuilder, value: str) -> str:
    """`log(sum(exp(value)))` of each row, `[N, 1]`, written out: `ReduceLogSumExp` fails on minus infinity."""
    row = graph.const([1], "int64")
    most = graph.op("ReduceMax", value, row, keepdims=1)
    most = graph.op("Where", graph.op("IsInf", most), graph.const(0.0), most)
    total = graph.op("ReduceSum", graph.op("Exp", graph.op("Sub", value, most)), row, keepdims=1)
    return graph.op("Add", graph.op("Log", total), most)


def argmax(graph: GraphBuilder, value: str) -> str:
    """Returns the position of each row's first maximum, `int64 [N]`."""
    return graph.op("ArgMax", value, axis=1, keepdims=0)


def above(graph: GraphBuilder, value: str, threshold: float) -> str:
    """Returns 1 where the value exceeds the threshold, else 0: `int64`, in the value's shape."""
    return as_int(graph, graph.op("Greater", value, graph.const(float(threshold))))


def at_least(graph: GraphBuilder, value: str, threshold: float) -> str:
    """Returns 1 where the value is at least the threshold, else 0: `int64`, in the value's shape."""
    return as_int(graph, graph.op("GreaterOrEqual", value, graph.const(float(threshold))))


def as_int(graph: GraphBuilder, flags: str) -> str:
    """Converts booleans to `int64`."""
    from onnx import TensorProto

    return graph.op("Cast", flags, to=TensorProto.INT64)


def as_real(graph: GraphBuilder, value: str) -> str:
    """Converts integers or booleans to numbers of the graph's type."""
    from onnx import TensorProto

    return graph.op("Cast", value, to=TensorProto.FLOAT if graph.real == "float32" else TensorProto.DOUBLE)


def with_complement(graph: GraphBuilder, probability: str) -> str:
    """`[1 - p, p]` as `[N, 2]`, for `p` as `[N, 1]`."""
    return graph.op("Concat", graph.op("Sub", graph.const(1.0), probability), probability, axis=1)


def normalised(graph: GraphBuilder, scores: str, empty: float | None) -> str:
    """Divides each row by its sum; a row that sums to 0 becomes `empty` in each place (None: stays 0)."""
    total = graph.op("ReduceSum", scores, graph.const([1], "int64"), keepdims=1)
    none = graph.op("Equal", total, graph.const(0.0))
    shares = graph.op("Div", scores, graph.op("Where", none, graph.const(1.0), total))
    return shares if empty is None else graph.op("Where", none, graph.const(empty), shares)


def pairs(count: int) -> tuple[Any, Any]:
    """Returns, for one-vs-one, `A` `[P, C]`, +1 at a pair's first class, -1 at its second, and the seconds' votes."""
    import numpy as np

    first, second = np.triu_indices(count, 1)
    matrix = np.zeros((len(first), count))
    rows = np.arange(len(first))
    matrix[rows, first] = 1
    matrix[rows, second] = -1
    return matrix, np.bincount(second, minlength=count).astype(float)


def votes(graph: GraphBuilder, first_wins: str, count: int) -> str:
    """Counts the votes per class, `real [N, C]`, from the winner of each pair."""
    matrix, seconds = pairs(count)
    return gemm(graph, as_real(graph, first_wins), matrix, seconds)


def one_vs_rest(graph: GraphBuilder, first_wins: str, towards_first: str, count: int) -> str:
    """`_ovr_decision_function`: votes, with ties broken by the confidences (`[N, P]`, positive for the first)."""
    total = graph.op("Gemm", towards_first, graph.const(pairs(count)[0]))
    below = graph.op("Mul", graph.const(3.0), graph.op("Add", graph.op("Abs", total), graph.const(1.0)))
    return graph.op("Add", votes(graph, first_wins, count), graph.op("Div", total, below))
