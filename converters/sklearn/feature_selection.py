"""Feature selectors: the columns that the fit has chosen, untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._lookup import convert, thresholds_of
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
    """The chosen columns in their order."""
    chosen = _chosen(fitted)
    if not chosen:
        raise Unsupported(f"{type(fitted).__name__} selects no column at all")
    return Answer(transformed=graph.select(frame, chosen))


def _chosen(fitted: Any) -> list[int]:
    return [int(i) for i in fitted.get_support(indices=True)]


def _back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    found: Thresholds = [[] for _ in range(len(fitted.get_support()))]
    for position, values in zip(_chosen(fitted), thresholds):
        found[position] = values
    return found


def eliminate(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The chosen columns, and what the estimator that was fitted on them answers."""
    chosen = select(fitted, frame, graph).transformed or ()
    try:
        answer = convert(fitted.estimator_, chosen, graph)
    except Unsupported:  # it only chose the columns: as a transformer this needs no graph of it
        answer = Answer()
    return replace(answer, transformed=chosen)


def _eliminated(fitted: Any) -> Thresholds:
    chosen = _chosen(fitted)
    return _back(fitted, thresholds_of(fitted.estimator_, len(chosen)))


STEPS = {
    **{name: Step(select, back=_back) for name in _SELECTORS},
    **{name: Step(eliminate, back=_back, thresholds=_eliminated) for name in ("RFE", "RFECV")},
}
