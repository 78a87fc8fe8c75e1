"""Classifiers made of binary ones, regressors of several targets, and models that ignore their input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import Frame, GraphBuilder
from .._lookup import convert
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _members as members
from . import _multioutput as targets
from . import _scores as scores
from ._neighbors import distances as distances


def _all(fitted: Any) -> Sequence[members.Member]:
    return members.everywhere(fitted, fitted.estimators_)


def one_vs_rest(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The class whose member is surest; probabilities made to sum to 1. With several labels a row, each for itself."""
    answers = [(each, convert(each, frame, graph)) for each in fitted.estimators_]
    sure = [members.binary_score(each, a, graph) for each, a in answers]
    proba = _rest_probabilities(fitted, answers, graph)
    if fitted.multilabel_:
        flags = scores.above(graph, members.side_by_side(graph, sure), members.binary_threshold(fitted.estimators_[0]))
        return targets.indicator(graph, flags, proba, members.side_by_side(graph, sure))
    if len(answers) == 1:
        index = scores.above(graph, scores.flat(graph, sure[0]), members.binary_threshold(fitted.estimators_[0]))
        return Answer(index=index, probabilities=proba, decision=answers[0][1].decision)
    decision = members.side_by_side(graph, sure)
    decides = hasattr(fitted, "decision_function")
    return Answer(index=scores.argmax(graph, decision), probabilities=proba, decision=decision if decides else None)


def _rest_probabilities(fitted: Any, answers: Sequence[tuple[Any, Answer]], graph: GraphBuilder) -> str | None:
    if not hasattr(fitted, "predict_proba"):
        return None
    parts = [scores.pick(graph, members.given(a.probabilities, each, "probabilities"), 1) for each, a in answers]
    whole = scores.with_complement(graph, parts[0]) if len(parts) == 1 else members.side_by_side(graph, parts)
    return whole if fitted.multilabel_ else scores.normalised(graph, whole, None)


def constant(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """`_ConstantPredictor`, which stands where every row of the training data had the same code."""
    value = float(fitted.y_[0])
    return Answer(
        decision=repeated(graph, frame, [value]),
        probabilities=repeated(graph, frame, [1.0 - value, value]),
    )


def repeated(graph: GraphBuilder, frame: Frame, row: Any, dtype: str = "") -> str:
    """`row` once for each row of the frame, `[N, len(row)]`."""
    import numpy as np

    shape = graph.op("Shape", frame[0].name, start=0, end=1)
    target = graph.op("Concat", shape, graph.const([1], "int64"), axis=0)
    return graph.op("Expand", graph.const(np.asarray(row)[None, :], dtype), target)


def one_vs_one(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Votes of a member per pair of classes, ties broken by confidence."""
    seen = fitted.pairwise_indices_ or [None] * len(fitted.estimators_)
    frames = [frame if s is None else graph.select(frame, [int(i) for i in s]) for s in seen]
    answers = [(each, convert(each, part, graph)) for each, part in zip(fitted.estimators_, frames)]
    sure = members.side_by_side(graph, [members.binary_score(each, a, graph) for each, a in answers])
    chosen = [scores.column(graph, members.codes(each, a, graph)) for each, a in answers]
    first_wins = graph.op("Equal", members.side_by_side(graph, chosen), graph.const(0, "int64"))
    count = len(fitted.classes_)
    decision = scores.one_vs_rest(graph, first_wins, graph.op("Neg", sure), count)
    if count > 2:
        return Answer(index=scores.argmax(graph, decision), decision=decision)
    line = scores.flat(graph, scores.pick(graph, decision, 1))
    threshold = members.binary_threshold(fitted.estimators_[0])
    return Answer(index=scores.above(graph, line, threshold), decision=line)


def output_code(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The class whose code is nearest to the members' scores."""
    answers = [(each, convert(each, frame, graph)) for each in fitted.estimators_]
    sure = members.side_by_side(graph, [members.binary_score(each, a, graph) for each, a in answers])
    away = distances.between(graph, sure, fitted.code_book_, "sqeuclidean")
    return Answer(index=graph.op("ArgMin", away, axis=1, keepdims=0))


def multi_output(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """One prediction per target, side by side."""
    parts = [_prediction(each, frame, graph) for each in fitted.estimators_]
    return Answer(prediction=members.side_by_side(graph, parts))


def multi_output_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """One classifier per target, each for itself."""
    answers = [(each, convert(each, frame, graph)) for each in fitted.estimators_]
    indices = [members.given(a.index, each, "labels") for each, a in answers]
    proba = hasattr(fitted, "predict_proba")
    found = [members.given(a.probabilities, each, "probabilities") for each, a in answers] if proba else []
    return targets.several(graph, [each.classes_ for each in fitted.estimators_], indices, found)


def _prediction(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    value = convert(fitted, frame, graph).prediction
    return scores.column(graph, members.given(value, fitted, "a prediction"))


def chain(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """One prediction per target, each seeing those before it."""
    order = [int(i) for i in fitted.order_]
    found: list[str] = []
    for each in fitted.estimators_:
        before = tuple(members.block(graph, value, 1) for value in found)
        found.append(_prediction(each, (*frame, *before), graph))
    return Answer(prediction=members.side_by_side(graph, [found[order.index(t)] for t in range(len(order))]))


def classifier_chain(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """One classifier per target, each seeing what those before it answered; labels as numbers, like the original."""
    order = [int(i) for i in fitted.order_]
    binary = all(len(each.classes_) == 2 for each in fitted.estimators_)
    surer = next((method for method in members.BOTH if binary and hasattr(fitted, method)), "")
    handed = getattr(fitted, "chain_method_", "predict")
    labels, sure, seen = ([""] * len(order) for _ in range(3))
    for i, (each, target) in enumerate(zip(fitted.estimators_, order)):
        before = tuple(members.block(graph, value, 1) for value in seen[:i])
        answer = convert(each, (*frame, *before), graph)
        labels[target] = _link(each, answer, "predict", graph, "float64")
        seen[i] = _link(each, answer, handed, graph, graph.real)
        sure[target] = _link(each, answer, surer, graph, graph.real) if surer else ""
    label = members.side_by_side(graph, labels)
    score = members.side_by_side(graph, sure) if surer else None
    proba = surer == "predict_proba"
    return Answer(label=label, probabilities=score if proba else None, decision=None if proba else score)


def _link(fitted: Any, answer: Answer, method: str, graph: GraphBuilder, dtype: str) -> str:
    """`_get_response_values`, `[N, 1]`: the label as a number, or what is said of the second class."""
    import numpy as np

    classes = np.asarray(fitted.classes_)
    if classes.dtype.kind not in "biuf":
        raise Unsupported("ClassifierChain hands its labels on as numbers, and these are none: encode them")
    if method == "predict":
        return targets.column(graph, classes, members.given(answer.index, fitted, "labels"), dtype)
    if len(classes) != 2:
        raise Unsupported("ClassifierChain gives probabilities of targets of two classes only")
    if method == "decision_function":
        return scores.column(graph, members.given(answer.decision, fitted, method))
    value = scores.pick(graph, members.given(answer.probabilities, fitted, method), 1)
    return graph.op("Log", value) if method == "predict_log_proba" else value


def _chain_members(fitted: Any) -> list[members.Member]:
    width = members.width_of(fitted)
    return [(each, range(width + i)) for i, each in enumerate(fitted.estimators_)]


def dummy_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The same answer for every row."""
    import numpy as np

    if fitted.strategy not in ("most_frequent", "prior", "constant"):
        raise Unsupported(f"DummyClassifier(strategy={fitted.strategy!r}) answers at random: nothing to reproduce")
    one = fitted.n_outputs_ == 1
    classes, priors = ([part] if one else part for part in (fitted.classes_, fitted.class_prior_))
    given = np.ravel(fitted.constant) if fitted.strategy == "constant" else [None] * len(classes)
    found = [_constant_answer(fitted, frame, graph, *each) for each in zip(classes, priors, given)]
    if one:
        return Answer(index=found[0][0], probabilities=found[0][1])
    return targets.several(graph, classes, *zip(*found))


def _constant_answer(
    fitted: Any, frame: Frame, graph: GraphBuilder, classes: Any, prior: Any, given: Any
) -> tuple[str, str]:
    """The position of the one label that is ever answered, and the probabilities."""
    import numpy as np

    best = int(np.argmax(prior)) if given is None else list(classes).index(given)
    row = prior if fitted.strategy == "prior" else np.eye(len(classes))[best]
    index = scores.flat(graph, repeated(graph, frame, [best], "int64"))
    return index, repeated(graph, frame, row)


def dummy_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The same numbers for every row."""
    import numpy as np

    value = repeated(graph, frame, np.asarray(fitted.constant_, float).ravel())
    return Answer(prediction=scores.flat(graph, value) if fitted.n_outputs_ == 1 else value)


STEPS = {
    "OneVsRestClassifier": members.of_members(one_vs_rest, _all),
    "_ConstantPredictor": Step(constant),
    "OneVsOneClassifier": members.of_members(one_vs_one, lambda f: [] if f.pairwise_indices_ else _all(f)),
    "OutputCodeClassifier": members.of_members(output_code, _all),
    "MultiOutputRegressor": members.of_members(multi_output, _all),
    "RegressorChain": members.of_members(chain, _chain_members),
    "MultiOutputClassifier": members.of_members(multi_output_classifier, _all),
    "ClassifierChain": members.of_members(classifier_chain, _chain_members),
    "DummyClassifier": Step(dummy_classifier),
    "DummyRegressor": Step(dummy_regressor),
}
