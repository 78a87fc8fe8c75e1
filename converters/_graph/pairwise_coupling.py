"""libsvm's `multiclass_probability`: class probabilities from pairwise ones, by the same iterations.

Wu, Lin, Weng (2004), "Probability estimates for multi-class classification by pairwise coupling", second approach.
libsvm stops early (`eps = 0.005 / classes`), so the result is that of its iterations, not of the fixed point.
"""

from __future__ import annotations

from .builder import GraphBuilder

ITERATIONS = 100


def coupled(graph: GraphBuilder, pair: str, count: int) -> str:
    """Returns probabilities `[N, C]` from `pair` `[N, P]`: that of each pair's first class against its second."""
    from onnx import TensorProto, helper

    square = _square(graph, pair, count)
    start = graph.op("Sub", graph.op("Mul", _first_columns(graph, square), graph.const(0.0)), graph.const(-1 / count))
    done = graph.op("Less", _pick(graph, start, 0), graph.const(0.0))
    body = GraphBuilder(graph.real)
    body._taken = graph._taken
    names = [graph.fresh(f"coupling_{n}") for n in ("step", "going", "p", "done")]
    going, p, settled = _iteration(body, square, names[2], names[3], count)
    real = _real_type(graph)
    kinds = [TensorProto.INT64, TensorProto.BOOL, real, TensorProto.BOOL]
    shapes: list[list[int | str]] = [[], [], ["N", count], ["N", 1]]
    inputs = [helper.make_tensor_value_info(n, k, s) for n, k, s in zip(names, kinds, shapes)]
    found = zip((going, p, settled), kinds[1:], shapes[1:])
    outputs = [helper.make_tensor_value_info(n, k, s) for n, k, s in found]
    inner = helper.make_graph(body._nodes, graph.fresh("coupling"), inputs, outputs, body.tensors())
    limit = graph.const(max(ITERATIONS, count), "int64")
    return graph.ops("Loop", [limit, graph.const(True), start, done], 2, body=inner)[0]


def _first_columns(graph: GraphBuilder, square: str) -> str:
    return graph.op("ReduceMax", square, graph.const([2], "int64"), keepdims=0)


def _square(graph: GraphBuilder, pair: str, count: int) -> str:
    """Returns `Q` `[N, C, C]`: sums of squared losses on the diagonal, minus both directions' products elsewhere."""
    import numpy as np

    first, second = np.triu_indices(count, 1)
    take = np.zeros((count, count), np.int64)
    take[first, second] = np.arange(len(first))
    take[second, first] = np.arange(len(first)) + len(first)
    both = graph.op("Concat", pair, graph.op("Sub", graph.const(1.0), pair), axis=1)
    r = graph.op("Gather", both, graph.const(take), axis=1)
    r = graph.op("Mul", r, graph.const(1.0 - np.eye(count)))
    back = graph.op("Transpose", r, perm=[0, 2, 1])
    squares = graph.op("ReduceSumSquare", r, graph.const([1], "int64"), keepdims=1)
    diagonal = graph.op("Mul", squares, graph.const(np.eye(count)))
    return graph.op("Sub", diagonal, graph.op("Mul", r, back))


def _iteration(graph: GraphBuilder, square: str, p: str, done: str, count: int) -> tuple[str, str, str]:
    """Adds one iteration: whether to go on, the probabilities, and which rows have converged."""
    row = graph.const([1], "int64")
    product = graph.op("Squeeze", graph.op("MatMul", square, _tall(graph, p)), graph.const([2], "int64"))
    total = graph.op("ReduceSum", graph.op("Mul", p, product), row, keepdims=1)
    error = graph.op("ReduceMax", graph.op("Abs", graph.op("Sub", product, total)), row, keepdims=1)
    settled = graph.op("Or", done, graph.op("Less", error, graph.const(0.005 / count)))
    moved = p
    for t in range(count):
        moved, product, total = _update(graph, square, moved, product, total, t, count)
    kept = graph.op("Where", settled, p, moved)
    open_rows = graph.op("ReduceSum", graph.op("Cast", graph.op("Not", settled), to=_real_type(graph)), keepdims=0)
    return graph.op("Greater", open_rows, graph.const(0.0)), kept, settled


def _pick(graph: GraphBuilder, value: str, position: int) -> str:
    """Returns one column of the value as `[N, 1]`."""
    return graph.op("Gather", value, graph.const([position], "int64"), axis=1)


def _real_type(graph: GraphBuilder) -> int:
    from onnx import TensorProto

    return int(TensorProto.FLOAT if graph.real == "float32" else TensorProto.DOUBLE)


def _tall(graph: GraphBuilder, value: str) -> str:
    return graph.op("Unsqueeze", value, graph.const([2], "int64"))


def _update(
    graph: GraphBuilder, square: str, p: str, product: str, total: str, t: int, count: int
) -> tuple[str, str, str]:
    """Returns the probabilities, `Q p` and `p Q p` after the update of class `t`."""
    import numpy as np

    line = graph.op("Gather", square, graph.const(t, "int64"), axis=1)
    own, here = _pick(graph, line, t), _pick(graph, product, t)
    move = graph.op("Div", graph.op("Add", graph.op("Neg", here), total), own)
    scale = graph.op("Add", graph.const(1.0), move)
    moved = graph.op("Add", p, graph.op("Mul", move, graph.const(np.eye(count)[t : t + 1])))
    inner = graph.op("Add", graph.op("Mul", move, own), graph.op("Mul", graph.const(2.0), here))
    updated = graph.op("Add", total, graph.op("Mul", move, inner))
    total = graph.op("Div", graph.op("Div", updated, scale), scale)
    product = graph.op("Div", graph.op("Add", product, graph.op("Mul", move, line)), scale)
    return graph.op("Div", moved, scale), product, total
