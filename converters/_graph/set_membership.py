"""Set membership of category codes, for trees that split on categories: a 0/1 column per set, from one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .builder import GraphBuilder, Value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CodeSet = tuple[int, frozenset[int], bool]
"""A tested column, the codes that go left, and whether NaN does."""
INT64 = 7


def flags(graph: GraphBuilder, x: Value, sets: Sequence[CodeSet]) -> str:
    """Returns `uint8 [N, sets]`: 0 where the row's code goes left, else 1.

    All sets share one flat table; a set's slice holds the results for: missing, negative, code 0, 1, ... and the code
    after the greatest in any set of the column.
    """
    import numpy as np

    features = sorted({feature for feature, _, _ in sets})
    after = dict.fromkeys(features, 0)
    for feature, codes, _ in sets:
        after[feature] = max(after[feature], max(codes, default=-1) + 1)
    stretches = [_stretch(codes, after[feature], missing_left) for feature, codes, missing_left in sets]
    starts = np.cumsum([0, *map(len, stretches)])[:-1] + 2
    codes_of = _codes(graph, x, features, [after[f] for f in features])
    column = {f: i for i, f in enumerate(features)}
    spread = graph.op("Gather", codes_of, graph.const([column[f] for f, _, _ in sets], "int64"), axis=1)
    place = graph.op("Add", spread, graph.const(starts, "int64"))
    return graph.op("Gather", graph.const(np.concatenate(stretches)), place)


def _stretch(codes: frozenset[int], after: int, missing_left: bool) -> Array:
    import numpy as np

    goes_right = np.ones(after + 3, np.uint8)
    goes_right[0] = not missing_left
    goes_right[[code + 2 for code in codes if code >= 0]] = 0
    return goes_right


def _codes(graph: GraphBuilder, x: Value, features: list[int], after: list[int]) -> str:
    """Returns the codes, `int64 [N, len(features)]`; -1 for any below 0, `after` for any greater one, -2 for NaN."""
    import numpy as np

    cells = graph.op("Gather", x.name, graph.const(features, "int64"), axis=1)
    capped = graph.op("Min", cells, graph.const(np.array(after, float), x.dtype))
    capped = graph.op("Max", capped, graph.const([-1.0], x.dtype))
    known = graph.op("Where", graph.op("IsNaN", cells), graph.const([-2.0], x.dtype), capped)
    return graph.op("Cast", known, to=INT64)
