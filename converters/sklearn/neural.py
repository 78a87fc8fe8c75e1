"""Multi-layer perceptrons, and the hidden layer of a restricted Boltzmann machine."""

from __future__ import annotations

from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _multioutput as targets
from . import _scores as scores
from ._outputs import block


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
    """Returns the label from the probabilities: more than 0.5, or the first maximum."""
    many = fitted._label_binarizer.y_type_.startswith("multilabel")
    if len(fitted.classes_) < 2 and not many:
        raise Unsupported("MLPClassifier was fitted on a single class: there is nothing to classify")
    value = _forward(fitted, frame, graph)
    if many:
        return targets.indicator(graph, scores.above(graph, value, 0.5), value)
    if fitted.n_outputs_ > 1:
        return Answer(index=scores.argmax(graph, value), probabilities=value)
    index = scores.flat(graph, scores.above(graph, value, 0.5))
    return Answer(index=index, probabilities=scores.with_complement(graph, value))


def regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the output layer unchanged."""
    value = _forward(fitted, frame, graph)
    return Answer(prediction=scores.flat(graph, value) if fitted.n_outputs_ == 1 else value)


def boltzmann(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Returns the probability that each hidden unit is on; the transform does not sample."""
    weights = fitted.components_.T
    value = scores.gemm(graph, graph.matrix(frame).name, weights, fitted.intercept_hidden_)
    return block(scores.sigmoid(graph, value), weights.shape[1], graph)


STEPS = {"MLPClassifier": Step(classifier), "MLPRegressor": Step(regressor), "BernoulliRBM": Step(boltzmann)}
