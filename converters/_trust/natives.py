"""Bounds checks for trees that native code walks unchecked: every index must be in range.

Only the guard sees the numbers, not the scan; so these files are refused in the worker, while they load.
"""

from __future__ import annotations

from math import prod
from typing import Any

from .rules import Refused

_SPACES = ("KDTree", "KDTree64", "KDTree32", "BallTree", "BallTree64", "BallTree32")
_MODULES = ("sklearn.tree._tree", "sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree")
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor"
_METRICS = "sklearn.metrics._dist_metrics"


def needs_state(kind: type) -> bool:
    """Returns whether native code reads an object of this class as if its state had been set."""
    return kind.__module__ in (*_MODULES, _METRICS)


def check_numbers(target: Any, state: Any, whole: Any) -> tuple[Any, ...]:
    """Returns the arrays that were checked, which must not change any more; raises `Refused` for an index out of range.

    `whole(value)`: whether an object has its state.
    """
    kind = type(target)
    if kind.__module__ == "sklearn.tree._tree" and kind.__name__ == "Tree":
        return _decision_tree(target, state)
    if kind.__module__ in _MODULES and kind.__name__ in _SPACES:
        return _space_tree(state, whole)
    if kind.__module__ == _PREDICTOR and kind.__name__ == "TreePredictor":
        return _predictor(state)
    if kind.__module__ == _METRICS:
        return _metric(state)
    return ()


def check_array(state: tuple[Any, ...]) -> None:
    """Raises `Refused` where an array has not as many objects as elements, which numpy does not check."""
    shape, dtype, raw = state[1], state[2], state[4]
    if dtype.subdtype is not None or (type(raw) is list and (min(shape, default=0) < 0 or len(raw) != prod(shape))):
        raise _refused("a numpy array")


def check_classes(args: tuple[Any, ...]) -> None:
    """Raises `Refused` where a `Tree` is created with a number of outputs that differs from its class counts."""
    features, classes, outputs = args
    fits = type(features) is int and type(outputs) is int and classes.ndim == 1 and classes.dtype.kind == "i"
    if not fits or features < 0 or len(classes) != outputs or not len(classes) or classes.min() < 1:
        raise _refused("a tree")


def _refused(what: str) -> Refused:
    return Refused(f"contains {what} with an index out of range")


def _fields(nodes: Any, *names: str) -> list[Any]:
    if getattr(nodes, "ndim", 0) != 1 or nodes.dtype.names is None or not set(names) <= set(nodes.dtype.names):
        raise _refused("a tree")
    return [nodes[name] for name in names]


def _below(left: Any, right: Any, inner: Any) -> bool:
    """Returns whether each inner node's children come after it and in range, so that a walk ends."""
    places = inner.nonzero()[0]
    return all(((side[places] > places) & (side[places] < len(inner))).all() for side in (left, right))


def _decision_tree(target: Any, state: Any) -> tuple[Any, ...]:
    nodes: Any = state.get("nodes") if type(state) is dict else None
    left, right, feature = _fields(nodes, "left_child", "right_child", "feature")
    inner = left != -1
    fits = _below(left, right, inner) and ((feature[inner] >= 0) & (feature[inner] < target.n_features)).all()
    if not fits or state.get("node_count") != len(nodes):
        raise _refused("a tree")
    return (nodes,)


def _predictor(state: Any) -> tuple[Any, ...]:
    nodes: Any = state.get("nodes") if type(state) is dict else None
    if nodes is None:
        return ()
    bits: Any = state.get("raw_left_cat_bitsets")
    left, right, leaf = _fields(nodes, "left", "right", "is_leaf")
    if not len(nodes) or not _below(left, right, leaf == 0):
        raise _refused("a tree")
    if "bitset_idx" in nodes.dtype.names:
        (sets,) = _fields(nodes, "bitset_idx")
        splits = (nodes["is_categorical"] != 0) & (leaf == 0)
        if splits.any() and (getattr(bits, "ndim", 0) != 2 or sets[splits].max() >= len(bits)):
            raise _refused("a tree")
    return tuple(part for part in (nodes, bits) if part is not None)


def _space_tree(state: Any, whole: Any) -> tuple[Any, ...]:
    if type(state) is not tuple or len(state) != 13:
        raise _refused("a tree of neighbours")
    data, order, nodes, bounds, weights = *state[:4], state[12]
    if [getattr(part, "ndim", 0) for part in state[:4]] != [2, 1, 1, 3] or not whole(state[11]):
        raise _refused("a tree of neighbours")
    rows, columns = data.shape
    start, end, leaf = _fields(nodes, "idx_start", "idx_end", "is_leaf")
    inside = len(order) == rows and rows > 0 and ((order >= 0) & (order < rows)).all()
    inside = inside and ((start >= 0) & (start <= end) & (end <= rows)).all() and len(nodes) == state[6] > 0
    inner = (leaf == 0).nonzero()[0]
    inside = inside and (not len(inner) or 2 * int(inner[-1]) + 2 < len(nodes))
    if not inside or bounds.shape[1:] != (len(nodes), columns) or (weights is not None and len(weights) != rows):
        raise _refused("a tree of neighbours")
    _check_metric(state[11], columns)
    return (data, order, nodes, bounds, *(() if weights is None else (weights,)))


def _metric(state: Any) -> tuple[Any, ...]:
    sizes = [getattr(part, "ndim", 0) for part in state] if type(state) is tuple else []
    if sizes != [0, 1, 2] or any(part.dtype.kind != "f" for part in state[1:]):
        raise _refused("a measure of distance")
    return tuple(state[1:])


def _check_metric(metric: Any, columns: int) -> None:
    kind: Any = type(metric)
    if kind.__module__ != _METRICS:
        raise _refused("a tree of neighbours")
    vector, matrix = kind.__getstate__(metric)[1:3]
    scaled, mixed, weighted = (kind.__name__.startswith(word) for word in ("SEuclidean", "Mahalanobis", "Minkowski"))
    fits = len(vector) >= columns if scaled else not weighted or len(vector) in (0, columns)
    if not fits or (mixed and matrix.shape != (columns, columns)):
        raise _refused("a measure of distance")
