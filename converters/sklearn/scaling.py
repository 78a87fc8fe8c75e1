"""Scalers: shift, scale or clip columns, or normalise rows."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._steps.step import Answer, Step, Thresholds, as_given
from ._outputs import at_most, block


def standard(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `(x - mean_) / scale_`, each only where the scaler enables it."""
    mean = fitted.mean_ if fitted.with_mean else None
    scale = fitted.scale_ if fitted.with_std else None
    return _shift_divide(frame, graph, mean, scale)


def robust(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `(x - center_) / scale_`, each only where the scaler enables it."""
    center = fitted.center_ if fitted.with_centering else None
    scale = fitted.scale_ if fitted.with_scaling else None
    return _shift_divide(frame, graph, center, scale)


def _shift_divide(frame: Frame, graph: GraphBuilder, shift: Any, scale: Any) -> Answer:
    x = graph.matrix(frame)
    name = x.name
    if shift is not None:
        name = graph.op("Sub", name, _row(shift, graph))
    if scale is not None:
        name = _divided(name, scale, x, graph)
    return block(name, x.width, graph)


def _divided(name: str, scale: Any, x: Value, graph: GraphBuilder) -> str:
    """Divides the columns by their scales; multiplies a sparse matrix by the inverse, as scikit-learn does."""
    import numpy as np

    if x.held is None:
        return graph.op("Div", name, _row(scale, graph))
    return graph.op("Mul", name, _row(1.0 / np.asarray(scale, np.float64), graph))


def _row(values: Any, graph: GraphBuilder) -> str:
    import numpy as np

    return graph.const(np.asarray(values, np.float64).reshape(1, -1))


def min_max(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `x * scale_ + min_`, clipped to the range if enabled."""
    x = graph.matrix(frame)
    scale = _row(fitted.scale_, graph)
    if graph.real == "float64":
        name = graph.op("Add", graph.op("Mul", x.name, scale), _row(fitted.min_, graph))
    else:  # the same, without float32's loss of digits where the range is far from zero
        above = graph.op("Mul", graph.op("Sub", x.name, _row(fitted.data_min_, graph)), scale)
        low = float(fitted.feature_range[0])
        name = graph.op("Add", above, graph.const(low)) if low else above
    if fitted.clip:
        name = _clip(name, fitted.feature_range[0], fitted.feature_range[1], graph)
    return block(name, x.width, graph)


def max_abs(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns `x / scale_`, clipped to [-1, 1] if enabled."""
    x = graph.matrix(frame)
    name = _divided(x.name, fitted.scale_, x, graph)
    if getattr(fitted, "clip", False):
        name = _clip(name, -1.0, 1.0, graph)
    return block(name, x.width, graph)


def _clip(name: str, low: float, high: float, graph: GraphBuilder) -> str:
    """Clips the values to the bounds; NaN stays NaN, which ONNX does not guarantee for its own Clip."""
    for test, bound in (("Less", low), ("Greater", high)):
        limit = graph.const(float(bound))
        name = graph.op("Where", graph.op(test, name, limit), limit, name)
    return name


def normalizer(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Divides each row by its norm; unchanged where that is nearly zero, for a sparse matrix exactly zero."""
    x = graph.matrix(frame)
    norm = _norm(fitted.norm, x.name, graph)
    plain = x.held is None
    zero = graph.op("Less", norm, graph.const(_tiny())) if plain else graph.op("Equal", norm, graph.const(0.0))
    safe = graph.op("Where", zero, graph.const(1.0), norm)
    return block(graph.op("Div", x.name, safe), x.width, graph)


def _norm(kind: str, x: str, graph: GraphBuilder) -> str:
    axis = graph.const([1], "int64")
    if kind == "l2":
        return graph.op("Sqrt", graph.op("ReduceSum", graph.op("Mul", x, x), axis))
    return graph.op("ReduceSum" if kind == "l1" else "ReduceMax", graph.op("Abs", x), axis)


def _tiny() -> float:
    """Returns the bound below which scikit-learn treats a norm as zero."""
    import numpy as np

    return float(10 * np.finfo(np.float64).eps)


def binarizer(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns 1 where `x > threshold`, else 0."""
    x = graph.matrix(frame)
    above = graph.op("Greater", x.name, at_most(fitted.threshold, graph))
    return block(graph.cast(Value(above, "bool"), graph.real).name, x.width, graph)


def _min_max_back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    return [[(v - m) / s for v in t] for t, s, m in zip(thresholds, fitted.scale_.tolist(), fitted.min_.tolist())]


def _standard_back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    return _affine(thresholds, fitted.scale_, fitted.mean_ if fitted.with_mean else None)


def _robust_back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    return _affine(thresholds, fitted.scale_, fitted.center_)


def _max_abs_back(fitted: Any, thresholds: Thresholds) -> Thresholds:
    return _affine(thresholds, fitted.scale_, None)


def _affine(thresholds: Thresholds, scale: Any, shift: Any) -> Thresholds:
    import numpy as np

    width = len(thresholds)
    factors = np.ones(width) if scale is None else scale
    offsets = np.zeros(width) if shift is None else shift
    return [(np.asarray(t, float) * f + o).tolist() for t, f, o in zip(thresholds, factors, offsets)]


def _binarizer_thresholds(fitted: Any) -> Thresholds:
    return [[float(fitted.threshold)] for _ in range(fitted.n_features_in_)]


STEPS = {
    "StandardScaler": Step(standard, back=_standard_back, sparse=as_given),
    "RobustScaler": Step(robust, back=_robust_back, sparse=as_given),
    "MinMaxScaler": Step(min_max, back=_min_max_back),
    "MaxAbsScaler": Step(max_abs, back=_max_abs_back, sparse=as_given),
    "Normalizer": Step(normalizer, sparse=as_given),
    "Binarizer": Step(binarizer, thresholds=_binarizer_thresholds, sparse=lambda fitted, given: given),
}
