"""Multi-layer perceptrons."""

from __future__ import annotations

from typing import Any

from .._graph import Frame, GraphBuilder
from .._steps import Answer, Step
from ..spec import Unsupported
from . import _scores as scores


def _activate(kind: str, value: str, graph: GraphBuilder) -> str:
    if kind == "identity":
        return value
    if kind == "softmax":
        return scores.softmax(graph, value)
    if kind == "logistic":
        return scores.sigmoid(graph, value)
    names = {"relu": "Relu", "tanh": "Tanh", "exp": "Exp"}
    if kind not in names:
        raise Unsupported(f"a perceptron with the activation {kind!r} has no converter")
    return graph.op(names[kind], value)


def _forward(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    value = graph.matrix(frame).name
    kinds = [fitted.activation] * (len(fitted.coefs_) - 1) + [fitted.out_activation_]
    for weights, bias, kind in zip(fitted.coefs_, fitted.intercepts_, kinds):
        value = _activate(kind, scores.gemm(graph, value, weights, bias), graph)
    return value


def classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The label from the probabilities: more than 0.5, or the first largest."""
    if fitted._label_binarizer.y_type_.startswith("multilabel") or len(fitted.classes_) < 2:
        raise Unsupported("MLPClassifier needs one label per row and two classes or more: fit one per label")
    value = _forward(fitted, frame, graph)
    if fitted.n_outputs_ > 1:
        return Answer(index=scores.argmax(graph, value), probabilities=value)
    index = scores.flat(graph, scores.above(graph, value, 0.5))
    return Answer(index=index, probabilities=scores.with_complement(graph, value))


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The output layer as it stands."""
    value = _forward(fitted, frame, graph)
    return Answer(prediction=scores.flat(graph, value) if fitted.n_outputs_ == 1 else value)


STEPS = {"MLPClassifier": Step(classifier), "MLPRegressor": Step(regressor)}
