"""What imputers of a matrix of numbers share: which cells are missing, and the columns that tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import GraphBuilder, Value
from .._steps.step import Answer
from ..spec import Unsupported
from ._categories import is_missing


def holes_of(x: str, marker: Any, graph: GraphBuilder) -> str:
    """Which cells are missing, `bool [N, F]`."""
    import numpy as np

    if is_missing(marker):
        return graph.op("IsNaN", x)
    if graph.real == "float32" and float(np.float32(marker)) != float(marker):
        raise Unsupported(f"missing_values={marker!r} is no float32 number")
    return graph.op("Equal", x, graph.const([[float(marker)]]))


def imputed(fitted: Any, columns: Sequence[str], holes: str, width: int, graph: GraphBuilder) -> Answer:
    """The columns, filled, and the indicators where the imputer adds them; `width`: columns before the imputer."""
    if not columns:
        raise Unsupported(f"the {type(fitted).__name__} drops every column: none had a value in the fit")
    blocks: tuple[Value, ...] = (Value(graph.op("Concat", *columns, axis=1), graph.real, len(columns)),)
    if fitted.add_indicator and len(fitted.indicator_.features_):
        blocks += graph.select((Value(holes, "bool", width),), [int(i) for i in fitted.indicator_.features_])
    return Answer(transformed=blocks)
