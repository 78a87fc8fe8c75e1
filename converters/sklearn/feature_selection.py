"""Feature selectors: the chosen columns, unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.lookup import convert, thresholds_of
from .._steps.step import Answer, Step, Thresholds
from ..spec import Unsupported

_SELECTORS = (
    "GenericUnivariateSelect",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "VarianceThreshold",
)


def select(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the chosen columns in their order."""
    chosen = _chosen(fitted)
    if not chosen:
        raise Unsupported(f"{type(fitted).__name__} selects no column")
    return Answer(transformed=graph.select(frame, chosen))


def _chosen(fitted: Any) -> list[int]:
    return [int(i) for i in fitted.get_support(indices=True)]


def _back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    found: Thresholds = [[] for _ in range(len(fitted.get_support()))]
    for position, values in zip(_chosen(fitted), thresholds):
        found[position] = values
    return found


def eliminate(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the chosen columns, and the outputs of the estimator that was fitted on them."""
    chosen = select(fitted, frame, graph).transformed or ()
    try:
        answer = convert(fitted.estimator_, chosen, graph)
    except Unsupported:  # it only chose the columns: a transformer does not need its graph
        answer = Answer()
    return replace(answer, transformed=chosen)


def _eliminated(fitted: Any) -> Thresholds:
    chosen = _chosen(fitted)
    return _back(fitted, thresholds_of(fitted.estimator_, len(chosen)))


STEPS = {
    **{name: Step(select, back=_back) for name in _SELECTORS},
    **{name: Step(eliminate, back=_back, thresholds=_eliminated) for name in ("RFE", "RFECV")},
}
