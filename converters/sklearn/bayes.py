"""Naive Bayes classifiers: joint log likelihoods, their first maximum, and their normalised form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._steps.step import Answer, Step, Thresholds
from ..spec import Scalar, Unsupported
from . import _scores as scores


def _answer(log_joint: str, graph: GraphBuilder) -> Answer:
    return Answer(index=scores.argmax(graph, log_joint), probabilities=scores.exp_normalised(graph, log_joint))


def gaussian(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Sums squared differences over variances, by direct differences `[N, C, F]`."""
    import numpy as np

    x = graph.op("Unsqueeze", graph.matrix(frame).name, graph.const([1], "int64"))
    apart = graph.op("Sub", x, graph.const(fitted.theta_))
    shares = graph.op("Div", graph.op("Mul", apart, apart), graph.const(fitted.var_))
    total = graph.op("ReduceSum", shares, graph.const([2], "int64"), keepdims=0)
    constant = np.log(fitted.class_prior_) - 0.5 * np.log(2.0 * np.pi * fitted.var_).sum(axis=1)
    half = graph.op("Mul", total, graph.const(-0.5))
    return _answer(graph.op("Add", half, graph.const(constant)), graph)


def multinomial(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Multiplies counts with log probabilities, and adds the priors."""
    x = graph.matrix(frame).name
    return _answer(scores.gemm(graph, x, fitted.feature_log_prob_.T, fitted.class_log_prior_), graph)


def complement(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Multiplies counts with weights; the prior matters only where there is one class."""
    prior = fitted.class_log_prior_ if len(fitted.classes_) == 1 else 0.0
    return _answer(scores.gemm(graph, graph.matrix(frame).name, fitted.feature_log_prob_.T, prior), graph)


def bernoulli(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Sums the log probabilities of present and absent features."""
    import numpy as np

    x = graph.matrix(frame).name
    if fitted.binarize is not None:
        x = scores.as_real(graph, graph.op("Greater", x, graph.const(float(fitted.binarize))))
    absent = np.log(1 - np.exp(fitted.feature_log_prob_))
    bias = fitted.class_log_prior_ + absent.sum(axis=1)
    return _answer(scores.gemm(graph, x, (fitted.feature_log_prob_ - absent).T, bias), graph)


def _bernoulli_thresholds(fitted: Any) -> Thresholds:
    cut = [] if fitted.binarize is None else [float(fitted.binarize)]
    return [list(cut) for _ in range(fitted.n_features_in_)]


def categorical(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Looks up and sums log probabilities, in one table for all columns."""
    import numpy as np
    from onnx import TensorProto

    if any(value.dtype == "string" for value in frame):
        raise Unsupported("CategoricalNB expects codes 0, 1, 2, …, not text: encode the columns before it")
    table = np.concatenate([np.asarray(t).T for t in fitted.feature_log_prob_])
    sizes = [t.shape[1] for t in fitted.feature_log_prob_]
    starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
    whole = all(value.dtype in ("int64", "bool") for value in frame)
    x = graph.matrix(frame, "int64" if whole else "").name
    codes = x if whole else graph.op("Cast", x, to=TensorProto.INT64)
    found = graph.op("Gather", graph.const(table), graph.op("Add", codes, graph.const(starts, "int64")), axis=0)
    total = graph.op("ReduceSum", found, graph.const([1], "int64"), keepdims=0)
    return _answer(graph.op("Add", total, graph.const(fitted.class_log_prior_)), graph)


def _categorical_values(fitted: Any) -> Sequence[Sequence[Scalar]]:
    return [list(range(table.shape[1])) for table in fitted.feature_log_prob_]


def _categorical_jumps(fitted: Any) -> Thresholds:
    """The original truncates fractions: its output jumps at each code."""
    return [[float(code) for code in range(1, table.shape[1])] for table in fitted.feature_log_prob_]


def _categorical_bounds(fitted: Any) -> Thresholds:
    """Numbers above -1 are truncated to 0, numbers below the number of codes to the last code."""
    return [[-1.0, float(table.shape[1])] for table in fitted.feature_log_prob_]


STEPS = {
    "GaussianNB": Step(gaussian),
    "MultinomialNB": Step(multinomial),
    "ComplementNB": Step(complement),
    "BernoulliNB": Step(bernoulli, thresholds=_bernoulli_thresholds),
    "CategoricalNB": Step(categorical, _categorical_jumps, values=_categorical_values, bounds=_categorical_bounds),
}
