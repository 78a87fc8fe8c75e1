"""scikit-learn's trees (`tree_`) as flat arrays, and their input matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

from .._graph.builder import Frame, GraphBuilder, Value
from .._trees.arrays import Trees

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SUMS = "float64"
"""scikit-learn adds leaves in double; its labels depend on the last bit of the sum."""


def matrix(graph: GraphBuilder, frame: Frame, dtype: str) -> Value:
    """Returns the frame as one matrix of that type; integers are cast directly, as in numpy."""
    kinds = {value.dtype for value in frame}
    joined = graph.matrix(frame, kinds.pop() if len(kinds) == 1 and "string" not in kinds else dtype)
    return graph.cast(joined, dtype)


def forest(trees: Sequence[Any], leaf: Array, target: Array | None = None, targets: int = 1) -> Trees:
    """Concatenates the `tree_` objects; `leaf` (and `target`): per node of all of them."""
    import numpy as np

    counts = [tree.node_count for tree in trees]
    starts = np.cumsum([0, *counts])[:-1]
    shift = np.repeat(starts, counts)
    left = _joined(trees, lambda tree: tree.children_left)
    is_leaf = left < 0
    return Trees(
        roots=starts,
        feature=np.where(is_leaf, -1, _joined(trees, lambda tree: tree.feature)),
        threshold=_joined(trees, lambda tree: tree.threshold),
        left=np.where(is_leaf, 0, left + shift),
        right=np.where(is_leaf, 0, _joined(trees, lambda tree: tree.children_right) + shift),
        missing_left=_joined(trees, _missing_left).astype(bool),
        leaf=leaf,
        target=target,
        targets=targets,
    )


def _joined(trees: Sequence[Any], part: Callable[[Any], Array]) -> Array:
    import numpy as np

    return np.concatenate([part(tree) for tree in trees])


def _missing_left(tree: Any) -> Array:
    import numpy as np

    found = getattr(tree, "missing_go_to_left", None)
    return np.zeros(tree.node_count, np.uint8) if found is None else np.asarray(found)


def single_values(trees: Sequence[Any]) -> Array:
    """Returns the regression value of each node of single-output trees."""
    return _joined(trees, lambda tree: tree.value[:, 0, 0])


def shares(trees: Sequence[Any], output: int = 0) -> Array:
    """Returns the class shares of each node `[M, C]`, for one of several targets; versions before 1.3 stored counts."""
    import numpy as np
    import sklearn

    values = _joined(trees, lambda tree: tree.value[:, output, :])
    if tuple(int(part) for part in sklearn.__version__.split(".")[:2]) >= (1, 3):
        return values
    total = values.sum(axis=1, keepdims=True)
    return np.asarray(values / np.where(total == 0, 1, total))


def outputs(trees: Sequence[Any]) -> Array:
    """Returns the values of each node of multi-output regression trees, `[M, targets]`."""
    return _joined(trees, lambda tree: tree.value[:, :, 0])


def arg_max(graph: GraphBuilder, scores: str) -> str:
    """Returns the first column with the highest score, `int64 [N]`."""
    return graph.op("ArgMax", scores, axis=1, keepdims=0)


def column(graph: GraphBuilder, values: str) -> str:
    """Returns `[N]` from `[N, 1]`."""
    return graph.op("Squeeze", values, graph.const([1], "int64"))


def real(graph: GraphBuilder, values: str) -> str:
    """Converts a double to the graph's own type."""
    return graph.cast(Value(values, SUMS), graph.real).name
