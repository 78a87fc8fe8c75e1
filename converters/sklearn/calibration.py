"""Calibrated classifiers, and the isotonic regression that some of them hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._lookup import convert
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _members as members
from . import _scores as scores

NEARLY_ZERO = 1e-12


def calibrated(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The average of what each pair of a classifier and its calibrators says."""
    parts = [_one(each, fitted.classes_, frame, graph) for each in fitted.calibrated_classifiers_]
    proba = members.mean(graph, parts)
    return Answer(index=scores.argmax(graph, proba), probabilities=proba)


def _one(each: Any, classes: Any, frame: Frame, graph: GraphBuilder) -> str:
    answer = convert(each.estimator, frame, graph)
    value, method = members.response(each.estimator, answer, ("decision_function", "predict_proba"))
    seen = list(each.estimator.classes_)
    width = len(seen)
    if width < 2:
        raise Unsupported("a member of CalibratedClassifierCV has seen one class only: calibrate with fewer folds")
    if width == 2:
        value = scores.pick(graph, value, 1) if method == "predict_proba" else scores.column(graph, value)
        width = 1
    if each.method == "temperature":
        return _temperature(each, value, width, method, graph)
    if each.method not in ("sigmoid", "isotonic"):
        raise Unsupported(f"CalibratedClassifierCV(method={each.method!r}) has no converter")
    places = [list(classes).index(label) for label in seen][:width]
    return _per_class(each, value, places, len(classes), graph)


def _per_class(each: Any, value: str, places: Sequence[int], count: int, graph: GraphBuilder) -> str:
    """Each column through its own calibrator, then made to sum to 1."""
    curve = _sigmoids if each.method == "sigmoid" else _isotonics
    proba = curve(each.calibrators[: len(places)], value, graph)
    if count == 2:
        return scores.with_complement(graph, proba)
    if list(places) != list(range(count)):
        proba = members.placed(graph, proba, places, count)
    return graph.op("Min", scores.normalised(graph, proba, 1 / count), graph.const(1.0))


def _sigmoids(calibrators: Sequence[Any], value: str, graph: GraphBuilder) -> str:
    slope = graph.const([float(c.a_) for c in calibrators])
    offset = graph.const([float(c.b_) for c in calibrators])
    return scores.inverse_logit_of_negative(graph, graph.op("Add", graph.op("Mul", value, slope), offset))


def _isotonics(calibrators: Sequence[Any], value: str, graph: GraphBuilder) -> str:
    columns = [value] if len(calibrators) == 1 else [scores.pick(graph, value, i) for i in range(len(calibrators))]
    return members.side_by_side(graph, [curve(c, v, graph) for c, v in zip(calibrators, columns)])


def _temperature(each: Any, value: str, width: int, method: str, graph: GraphBuilder) -> str:
    """A softmax of scaled logits: logarithms of probabilities, or decisions as they are."""
    if len(each.estimator.classes_) != len(each.classes):
        raise Unsupported("a member of CalibratedClassifierCV(method='temperature') has not seen every class")
    if method == "predict_proba":
        proba = scores.with_complement(graph, value) if width == 1 else value
        logits = graph.op("Log", graph.op("Add", proba, graph.const(NEARLY_ZERO)))
    elif width == 1:
        logits = graph.op("Concat", graph.op("Neg", value), value, axis=1)
    else:
        logits = value
    beta = graph.const(float(each.calibrators[0].beta_))
    return graph.op("Min", scores.softmax(graph, graph.op("Mul", logits, beta)), graph.const(1.0))


def curve(fitted: Any, value: str, graph: GraphBuilder) -> str:
    """`np.interp` through the thresholds of an isotonic regression, `[N, 1]` from `[N, 1]`."""
    import numpy as np

    if graph.real == "float32":
        raise Unsupported("IsotonicRegression has steps too steep for float32: it needs float64")
    x, y = np.asarray(fitted.X_thresholds_, float), np.asarray(fitted.y_thresholds_, float)
    if len(y) == 1:
        return graph.op("Add", graph.op("Mul", value, graph.const(0.0)), graph.const(float(y[0])))
    held = graph.op("Clip", value, graph.const(float(x[0])), graph.const(float(x[-1])))
    below = scores.as_int(graph, graph.op("GreaterOrEqual", held, graph.const(x[1:])))
    knot = graph.op("ReduceSum", below, graph.const([1], "int64"), keepdims=1)
    slopes = graph.const(np.append(np.diff(y) / np.diff(x), 0.0))
    slope, left, low = (graph.op("Gather", c, knot) for c in (slopes, graph.const(x), graph.const(y)))
    inside = graph.op("Add", graph.op("Mul", slope, graph.op("Sub", held, left)), low)
    if fitted.out_of_bounds == "clip":
        return inside
    return graph.op("Where", graph.op("Equal", held, value), inside, graph.const(float("nan")))


def isotonic(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The regression by itself; as a transformer, the same value."""
    value = curve(fitted, graph.matrix(frame).name, graph)
    return Answer(prediction=scores.flat(graph, value), transformed=(members.block(graph, value, 1),))


def _isotonic_thresholds(fitted: Any) -> list[list[float]]:
    return [[float(v) for v in fitted.X_thresholds_]]


def _isotonic_ends(fitted: Any) -> list[list[float]]:
    """The ends of the curve, where the original begins to refuse if it is told to."""
    known = fitted.X_thresholds_ if fitted.out_of_bounds == "raise" else []
    return [[float(known[i]) for i in (0, -1)] if len(known) > 1 else []]


def _estimators(fitted: Any) -> list[members.Member]:
    return members.everywhere(fitted, [each.estimator for each in fitted.calibrated_classifiers_])


STEPS = {
    "CalibratedClassifierCV": members.of_members(calibrated, _estimators),
    "IsotonicRegression": Step(isotonic, thresholds=_isotonic_thresholds, bounds=_isotonic_ends),
}
