"""Factorisations that are solved for each row: non-negative matrices, topics of documents."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step, Thresholds
from ..spec import Unsupported
from . import _scores as scores
from ._outputs import block
from ._solvers import loops as loops

FLOOR = 1.1920928955078125e-07
"""scikit-learn's replacement for a divisor of 0, and its minimum for the products that a row is compared with."""


def nmf(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns each row's weights after `max_iter` rounds, as with `tol=0`."""
    _refuse_batchwise(fitted)
    return _rounds(fitted, frame, graph, int(fitted.max_iter), fitted.solver == "mu")


def mini_batch_nmf(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns each row's weights by multiplicative updates, as with `tol=0`."""
    _refuse_batchwise(fitted)
    rounds = fitted.transform_max_iter
    return _rounds(fitted, frame, graph, int(fitted.max_iter if rounds is None else rounds), True)


def _rounds(fitted: Any, frame: Frame, graph: GraphBuilder, limit: int, multiplies: bool) -> Answer:
    import numpy as np

    x = graph.matrix(frame)
    components = np.asarray(fitted.components_, np.float64)
    count = len(components)
    l1, _, l2, _ = fitted._compute_regularization(np.zeros((1, x.width)))
    if multiplies:
        _refuse_scale(fitted, float(l1), float(l2))
    start = loops.filled(graph, x.name, count, 1.0 if multiplies else 0.0)
    by_ratio = multiplies and fitted._beta_loss == 1
    target = "" if by_ratio else scores.gemm(graph, x.name, components.T, -l1)
    products = components @ components.T + np.eye(count) * l2

    def one(body: GraphBuilder, step: str, states: list[str]) -> tuple[str, list[str]]:
        weights = states[0]
        if by_ratio:
            weights = _multiplied_by_ratio(body, weights, x.name, components)
        elif multiplies:
            weights = _multiplied(body, weights, target, products)
        for t in () if multiplies else range(count):
            weights = _descend(body, weights, target, products, t)
        changed = body.op("Not", body.op("Equal", weights, states[0]))
        return loops.any_of(body, changed), [weights]

    states = [loops.State(start, graph.real, ("N", count))]
    return block(loops.loop(graph, limit, states, one)[0], count, graph)


def _refuse_batchwise(fitted: Any) -> None:
    name = type(fitted).__name__
    if getattr(fitted, "shuffle", False):
        raise Unsupported(f"{name}(shuffle=True) shuffles the components each time: fit with shuffle=False")
    if fitted.tol > 0:
        raise Unsupported(
            f"{name}.transform stops by a criterion on the whole batch (tol), so a row's output depends on its "
            "neighbours, which no graph repeats: set tol=0 on the fitted model (set_params(tol=0)), so that "
            "every row gets all rounds (max_iter), and build again"
        )


def _refuse_scale(fitted: Any, l1: float, l2: float) -> None:
    """Raises where the initial weights, the batch's mean, matter; the first multiplication usually cancels them."""
    loss = fitted._beta_loss
    if loss not in (1, 2) or l1 != 0 or (loss == 1 and l2 != 0):
        raise Unsupported(
            f"{type(fitted).__name__} starts from the mean of the whole batch, and a row's output depends on it with "
            f"beta_loss={fitted.beta_loss!r}, alpha_W={fitted.alpha_W!r}, l1_ratio={fitted.l1_ratio!r}: fit with the "
            "loss 'frobenius' or 'kullback-leibler' and alpha_W=0"
        )


def _multiplied(graph: GraphBuilder, weights: str, target: str, products: Any) -> str:
    """Returns the weights after one multiplicative update for the squared loss."""
    below = graph.op("Gemm", weights, graph.const(products))
    return graph.op("Mul", weights, graph.op("Div", target, _not_zero(graph, below)))


def _not_zero(graph: GraphBuilder, value: str) -> str:
    none = graph.op("Equal", value, graph.const([[0.0]]))
    return graph.op("Where", none, graph.const([[FLOOR]]), value)


def _multiplied_by_ratio(graph: GraphBuilder, weights: str, x: str, components: Any) -> str:
    """Returns the weights after one multiplicative update for the Kullback-Leibler loss."""
    import numpy as np

    made = graph.op("Max", graph.op("Gemm", weights, graph.const(components)), graph.const([[FLOOR]]))
    pull = graph.op("Gemm", graph.op("Div", x, made), graph.const(components.T))
    total = components.sum(axis=1)[None]
    share = graph.op("Div", pull, graph.const(np.where(total == 0, FLOOR, total)))
    return graph.op("Mul", weights, share)


def _descend(graph: GraphBuilder, weights: str, target: str, products: Any, t: int) -> str:
    """Returns the weights after component `t` has been set to its optimum at or above 0."""
    import numpy as np

    slope = float(products[t, t])
    if slope == 0:
        return weights
    pull = graph.op("Gemm", weights, graph.const(products[:, [t]]))
    gradient = graph.op("Sub", pull, scores.pick(graph, target, t))
    move = graph.op("Div", gradient, graph.const([[slope]]))
    moved = graph.op("Max", graph.op("Sub", scores.pick(graph, weights, t), move), graph.const([[0.0]]))
    return graph.op("Where", graph.const(np.eye(len(products), dtype=bool)[[t]]), moved, weights)


def topics(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the topics of each document, by scikit-learn's own iterations: each document stops separately."""
    import numpy as np

    x = graph.matrix(frame)
    words = np.asarray(fitted.exp_dirichlet_component_, np.float64)
    count = len(words)
    ones = loops.filled(graph, x.name, count, 1.0)
    first = loops.filled(graph, x.name, count, float(_start(fitted, count)))
    done = graph.op("Less", loops.filled(graph, x.name, 1, 0.0), graph.const(0.0))
    shape = ("N", count)
    states = [loops.State(ones, graph.real, shape), loops.State(first, graph.real, shape)]
    states.append(loops.State(done, "bool", ("N", 1)))

    def update(body: GraphBuilder, step: str, now: list[str]) -> tuple[str, list[str]]:
        return _update(body, fitted, x.name, words, now)

    found = loops.loop(graph, int(fitted.max_doc_update_iter), states, update)[0]
    total = graph.op("ReduceSum", found, graph.const([1], "int64"), keepdims=1)
    return block(graph.op("Div", found, total), count, graph)


def _start(fitted: Any, count: int) -> Any:
    """Returns `exp(psi(1) - psi(topics))`, by scikit-learn's own function."""
    import numpy as np
    from sklearn.decomposition import _online_lda_fast as fast

    return np.exp(fast._dirichlet_expectation_2d(np.ones((1, count))))[0, 0]


def _update(graph: GraphBuilder, fitted: Any, x: str, words: Any, now: list[str]) -> tuple[str, list[str]]:
    """Returns whether a document is left, and the topics, their expectations and which are done after one pass."""
    import numpy as np

    topics, expected, done = now
    tiny = float(np.finfo(np.float64).eps)
    row = graph.const([1], "int64")
    likely = scores.gemm(graph, expected, words, tiny)
    shares = graph.op("Gemm", graph.op("Div", x, likely), graph.const(words.T))
    prior = graph.const([[float(fitted.doc_topic_prior_)]])
    fresh = graph.op("Add", graph.op("Mul", expected, shares), prior)
    total = graph.op("ReduceSum", fresh, row, keepdims=1)
    expectation = graph.op("Exp", graph.op("Sub", psi(graph, fresh), psi(graph, total)))
    change = graph.op("ReduceSum", graph.op("Abs", graph.op("Sub", topics, fresh)), row, keepdims=1)
    mean = graph.op("Div", change, graph.const([[float(len(words))]]))
    settled = graph.op("Or", done, graph.op("Less", mean, graph.const([[float(fitted.mean_change_tol)]])))
    ends = [graph.op("Where", done, topics, fresh), graph.op("Where", done, expected, expectation), settled]
    return loops.any_of(graph, graph.op("Not", settled)), ends


def psi(graph: GraphBuilder, x: str) -> str:
    """The digamma function as scikit-learn computes it for topics: six terms below 6, then a short series."""
    one = graph.const([[1.0]])
    moved, low = x, graph.op("Mul", x, graph.const([[0.0]]))
    for _ in range(6):
        below = graph.op("Less", moved, graph.const([[6.0]]))
        low = graph.op("Where", below, graph.op("Sub", low, graph.op("Div", one, moved)), low)
        moved = graph.op("Where", below, graph.op("Add", moved, one), moved)
    inverse = graph.op("Div", one, moved)
    high = graph.op("Sub", graph.op("Log", moved), graph.op("Mul", graph.const([[0.5]]), inverse))
    square = graph.op("Mul", inverse, inverse)
    series = graph.const([[1 / 252]])
    for term in (1 / 120, 1 / 12):
        series = graph.op("Sub", graph.const([[term]]), graph.op("Mul", square, series))
    usual = graph.op("Sub", graph.op("Add", low, high), graph.op("Mul", square, series))
    small = graph.op("Sub", graph.const([[-0.5772156649015329]]), graph.op("Div", one, x))
    return graph.op("Where", graph.op("LessOrEqual", x, graph.const([[1e-6]])), small, usual)


def _from_zero(fitted: Any) -> Thresholds:
    return [[0.0]] * int(fitted.n_features_in_)


STEPS = {
    "NMF": Step(nmf, bounds=_from_zero),
    "MiniBatchNMF": Step(mini_batch_nmf, bounds=_from_zero),
    "LatentDirichletAllocation": Step(topics, bounds=_from_zero),
}
