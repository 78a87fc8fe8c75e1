"""Missing masks of numeric imputers: which cells are missing, and the indicator columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import GraphBuilder, Value
from .._steps.step import Answer
from ..spec import Unsupported
from ._categories import is_missing


def holes_of(x: str, marker: Any, graph: GraphBuilder) -> str:
    """Returns the mask of missing cells, `bool [N, F]`."""
    import numpy as np

    if is_missing(marker):
        return graph.op("IsNaN", x)
    if graph.real == "float32" and float(np.float32(marker)) != float(marker):
        raise Unsupported(f"missing_values={marker!r} is not exact in float32")
    return graph.op("Equal", x, graph.const([[float(marker)]]))


def imputed(fitted: Any, columns: Sequence[str], mask: str, width: int, graph: GraphBuilder) -> Answer:
    """Returns the filled columns, and the indicators if the imputer adds them; `width`: columns before imputing."""
    if not columns:
        raise Unsupported(f"the {type(fitted).__name__} drops every column: all were empty in the fit")
    blocks: tuple[Value, ...] = (Value(graph.op("Concat", *columns, axis=1), graph.real, len(columns)),)
    if fitted.add_indicator and len(fitted.indicator_.features_):
        blocks += graph.select((Value(mask, "bool", width),), [int(i) for i in fitted.indicator_.features_])
    return Answer(transformed=blocks)
