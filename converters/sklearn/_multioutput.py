"""Classifiers with several targets: a label per target and row, and the probabilities of each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import GraphBuilder
from .._steps.step import Answer
from ..spec import Unsupported
from . import _members as members
from . import _scores as scores


def several(
    graph: GraphBuilder, classes: Sequence[Any], indices: Sequence[str], probabilities: Sequence[str] = ()
) -> Answer:
    """Returns the outputs of a classifier of several targets, from each target's classes, the position of the label
    among them (`int64 [N]`) and, if any, the probabilities (`real [N, C_t]`)."""
    dtype = type_of(classes)
    columns = [column(graph, known, index, dtype) for known, index in zip(classes, indices)]
    return Answer(label=members.side_by_side(graph, columns), several=tuple(probabilities))


def indicator(graph: GraphBuilder, flags: str, probabilities: str | None = None, decision: str | None = None) -> Answer:
    """Returns multi-label outputs: 0 or 1 per label (`int64 [N, T]`), and its probability (`real [N, T]`)."""
    return Answer(label=flags, probabilities=probabilities, decision=decision)


def column(graph: GraphBuilder, classes: Any, index: str, dtype: str) -> str:
    """Returns the labels of one target, `[N, 1]`."""
    import numpy as np

    known = np.asarray(classes)
    found = graph.op("Gather", graph.const(known.astype(object) if dtype == "string" else known, dtype), index)
    return scores.column(graph, found)


def type_of(classes: Sequence[Any]) -> str:
    """Returns the type for the labels of all targets; raises `Unsupported` for a mixture of text and numbers."""
    import numpy as np

    arrays = [np.asarray(known) for known in classes]
    cells = [cell for known in arrays for cell in known.tolist()]
    if len({isinstance(cell, str) for cell in cells}) > 1:
        raise Unsupported("some targets are text and some are numbers: convert all of them to text, or fit two models")
    if any(known.dtype.kind in "OU" for known in arrays):
        return "string"
    kinds = {known.dtype.kind for known in arrays}
    return "bool" if kinds == {"b"} else "int64" if kinds <= set("iub") else "float64"
