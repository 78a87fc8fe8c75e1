"""Feature selectors: the columns that the fit has chosen, untouched."""

from __future__ import annotations

from typing import Any

from .._graph import Frame, GraphBuilder
from .._steps import Answer, Step, Thresholds
from ..spec import Unsupported

_SELECTORS = (
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
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


STEPS = {name: Step(select, back=_back) for name in _SELECTORS}
