"""The imputer that predicts each column from the others, in rounds, by the models of its fit.

The original leaves a batch in which every cell is missing at its first filling; in a batch with other rows the same
row goes through the rounds. So does the graph, which looks at the whole batch for that.
"""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._graph.set_membership import INT64
from .._lookup import convert
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _scores as scores
from ._missing_mask import holes_of, imputed


def chained(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The frame with missing cells filled, without the columns that had none in the fit; then the indicators."""
    import numpy as np

    if fitted.sample_posterior:
        raise Unsupported("IterativeImputer(sample_posterior=True) draws at random: fit with sample_posterior=False")
    x = graph.matrix(frame)
    holes = holes_of(x.name, fitted.missing_values, graph)
    keeps = bool(getattr(fitted, "keep_empty_features", False))
    kept = [int(i) for i in np.flatnonzero(~fitted._is_empty_feature | keeps)]
    if not kept:
        raise Unsupported("the IterativeImputer drops every column: none had a value in the fit")
    first = convert(fitted.initial_imputer_, (x,), graph).transformed
    assert first is not None
    start = [value.name for value in graph.columns((graph.matrix(first),))]
    columns = list(start)
    masks = [scores.pick(graph, holes, i) for i in kept]
    for step in fitted.imputation_sequence_ if fitted.n_iter_ else ():
        if not fitted._is_empty_feature[kept[step.feat_idx]]:
            columns[step.feat_idx] = _moved(fitted, step, columns, masks[step.feat_idx], graph)
    if columns != start and not (keeps and fitted._is_empty_feature.any()):  # a column kept empty is never missing
        nothing = _nothing_there(holes, kept, graph)
        columns = [a if a == b else graph.op("Where", nothing, a, b) for a, b in zip(start, columns)]
    return imputed(fitted, columns, holes, x.width, graph)


def _nothing_there(holes: str, kept: list[int], graph: GraphBuilder) -> str:
    """Whether every cell of the whole batch is missing, `bool [1, 1]`."""
    present = graph.op("Not", graph.op("Gather", holes, graph.const(kept, "int64"), axis=1))
    count = graph.op("ReduceSum", graph.op("Cast", present, to=INT64), graph.const([0, 1], "int64"), keepdims=1)
    return graph.op("Equal", count, graph.const([[0]], "int64"))


def _moved(fitted: Any, step: Any, columns: list[str], mask: str, graph: GraphBuilder) -> str:
    """The column with its missing cells predicted from the present state of its neighbours."""
    i = step.feat_idx
    near = [columns[int(n)] for n in step.neighbor_feat_idx]
    state = near[0] if len(near) == 1 else graph.op("Concat", *near, axis=1)
    answer = convert(step.estimator, (Value(state, graph.real, len(near)),), graph)
    if answer.prediction is None:
        raise Unsupported(f"IterativeImputer holds a {type(step.estimator).__name__}, which gives no prediction")
    value = scores.column(graph, answer.prediction)
    for kind, limit in (("Max", float(fitted._min_value[i])), ("Min", float(fitted._max_value[i]))):
        if abs(limit) != float("inf"):
            value = graph.op(kind, value, graph.const([[limit]]))
    return graph.op("Where", mask, value, columns[i])


STEPS = {"IterativeImputer": Step(chained)}
