"""Models made of others: searches, thresholds, votes, stacks, bags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._lookup import convert, thresholds_of, values_of
from .._steps.step import Answer, Step
from ..spec import Unsupported
from . import _members as members
from . import _multioutput as targets
from . import _scores as scores


def _threshold_step(settings: Any) -> Step:
    """The step of a classifier that moves the threshold; `settings(fitted)`: the threshold and `pos_label`."""

    def through(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
        threshold, pos_label = settings(fitted)
        return _thresholded(fitted, threshold, pos_label, frame, graph)

    return members.of_members(through, lambda fitted: members.everywhere(fitted, [_held(fitted)]))


def _held(fitted: Any) -> Any:
    return vars(fitted).get("estimator_", fitted.estimator)


def _fixed(fitted: Any) -> tuple[float | None, Any]:
    return (None if fitted.threshold == "auto" else float(fitted.threshold)), fitted.pos_label


def _tuned(fitted: Any) -> tuple[float | None, Any]:
    return float(fitted.best_threshold_), fitted._curve_scorer._get_pos_label()


def _thresholded(fitted: Any, threshold: float | None, pos_label: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The member's scores; the label from the score of the positive class, at or above the threshold."""
    inner = _held(fitted)
    answer = convert(inner, frame, graph)
    methods = members.BOTH if fitted.response_method == "auto" else (fitted.response_method,)
    value, method = members.response(inner, answer, methods)
    positive = 1 if pos_label is None else fitted.classes_.tolist().index(pos_label)
    if method == "predict_proba":
        score = scores.flat(graph, scores.pick(graph, value, positive))
    else:
        score = value if positive else graph.op("Neg", value)
    chosen = (0.5 if method == "predict_proba" else 0.0) if threshold is None else threshold
    hit = scores.at_least(graph, score, chosen)
    index = hit if positive else graph.op("Sub", graph.const(1, "int64"), hit)
    return Answer(index=index, probabilities=answer.probabilities, decision=answer.decision)


def voting_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The first largest of the average probabilities, or of the weighted votes."""
    answers = [(each, convert(each, frame, graph)) for each in fitted.estimators_]
    if fitted.voting == "soft":
        parts = [members.given(a.probabilities, each, "probabilities") for each, a in answers]
        proba = members.mean(graph, parts, fitted._weights_not_none)
        return Answer(index=scores.argmax(graph, proba), probabilities=proba)
    count = len(fitted.classes_)
    weights = fitted._weights_not_none or [1.0] * len(answers)
    ballots = [_ballot(members.codes(each, a, graph), count, w, graph) for (each, a), w in zip(answers, weights)]
    return Answer(index=scores.argmax(graph, members.total(graph, ballots)))


def _ballot(index: str, count: int, weight: float, graph: GraphBuilder) -> str:
    """The weight in the column of the chosen class, `real [N, C]`."""
    import numpy as np

    return graph.op("Gather", graph.const(np.eye(count) * float(weight)), index, axis=0)


def voting_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The weighted average of the predictions."""
    parts = _predictions(fitted.estimators_, frame, graph)
    return Answer(prediction=members.mean(graph, parts, fitted._weights_not_none))


def _predictions(fitted: Iterable[Any], frame: Frame, graph: GraphBuilder) -> list[str]:
    found = ((each, convert(each, frame, graph).prediction) for each in fitted)
    return [scores.flat(graph, members.given(value, each, "a prediction")) for each, value in found]


def stacking(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The last model's answer on what the others answer, with the frame behind it where it passes through."""
    many = isinstance(getattr(fitted, "_label_encoder", None), list)
    parts = [
        (_flags if many else _feature)(fitted, each, method, convert(each, frame, graph), graph)
        for each, method in zip(fitted.estimators_, fitted.stack_method_)
    ]
    value = members.side_by_side(graph, [name for name, _ in parts])
    meta = members.block(graph, value, sum(width for _, width in parts))
    last = fitted.final_estimator_
    answer = convert(last, (meta, *frame) if fitted.passthrough else (meta,), graph)
    if many:
        return _stacked_flags(fitted, answer, graph)
    if answer.index is None:
        return Answer(prediction=members.given(answer.prediction, last, "a prediction"))
    index = members.codes(last, answer, graph)
    return Answer(index=index, probabilities=answer.probabilities, decision=answer.decision)


def _feature(fitted: Any, each: Any, method: str, answer: Answer, graph: GraphBuilder) -> tuple[str, int]:
    """What one member adds to the input of the last model, and how many columns that is."""
    if method == "predict":
        if answer.index is None:
            return scores.column(graph, members.given(answer.prediction, each, "a prediction")), 1
        return scores.column(graph, scores.as_real(graph, members.codes(each, answer, graph))), 1
    value, _ = members.response(each, answer, (method,))
    count = len(each.classes_)
    if method == "predict_proba":
        return (scores.pick(graph, value, 1), 1) if len(fitted.classes_) == 2 else (value, count)
    if count == 2:
        return scores.column(graph, value), 1
    ovo = getattr(each, "decision_function_shape", "ovr") == "ovo"
    return value, count * (count - 1) // 2 if ovo else count


def _flags(fitted: Any, each: Any, method: str, answer: Answer, graph: GraphBuilder) -> tuple[str, int]:
    """The same where a row has several labels: a column per label, less the first where there are just two."""
    count = len(fitted.classes_)
    if method == "predict":
        return scores.as_real(graph, members.given(answer.label, each, "several labels")), count
    if method == "predict_proba" and answer.several:
        if any(len(known) != 2 for known in each.classes_):
            raise Unsupported("StackingClassifier was fitted on a label that all rows or no row had: leave it out")
        return members.side_by_side(graph, [scores.pick(graph, part, 1) for part in answer.several]), count
    value, _ = members.response(each, answer, (method,))
    drops = method == "predict_proba" and count == 2
    return (scores.pick(graph, value, 1), 1) if drops else (value, count)


def _stacked_flags(fitted: Any, answer: Answer, graph: GraphBuilder) -> Answer:
    """The labels as they come; as chances the original gives those of each label's first class."""
    label = members.given(answer.label, fitted.final_estimator_, "several labels")
    if targets.type_of([each.classes_ for each in fitted._label_encoder]) == "bool":
        label = graph.cast(Value(label, "int64"), "bool").name
    if not answer.several:
        return Answer(label=label, decision=answer.decision)
    firsts = [scores.pick(graph, part, 0) for part in answer.several]
    return Answer(label=label, probabilities=members.side_by_side(graph, firsts))


def _stack_members(fitted: Any) -> list[members.Member]:
    return members.everywhere(fitted, fitted.estimators_)


def _stack_thresholds(fitted: Any) -> list[list[float]]:
    found = members.members_thresholds(fitted, _stack_members(fitted))
    for mine, own in zip(found, _tail(fitted, thresholds_of)):
        mine += own
    return found


def _stack_values(fitted: Any) -> list[Any]:
    found = members.members_values(fitted, _stack_members(fitted))
    tail = _tail(fitted, values_of) or [None] * len(found)
    return [mine if own is None else [*(mine or []), *own] for mine, own in zip(found, tail)]


def _tail(fitted: Any, known: Any) -> list[Any]:
    """What the last model knows of the columns that pass through to it."""
    width = members.width_of(fitted)
    last = fitted.final_estimator_
    return list(known(last, members.width_of(last))[-width:]) if fitted.passthrough else []


def _bag(fitted: Any) -> list[members.Member]:
    return [(m, [int(i) for i in f]) for m, f in zip(fitted.estimators_, fitted.estimators_features_)]


def bagging_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The average of the members' probabilities, or of their votes where they have none."""
    parts = [_share(fitted, each, graph.select(frame, seen), graph) for each, seen in _bag(fitted)]
    proba = members.mean(graph, parts)
    return Answer(index=scores.argmax(graph, proba), probabilities=proba)


def _share(fitted: Any, each: Any, frame: Frame, graph: GraphBuilder) -> str:
    answer = convert(each, frame, graph)
    if hasattr(each, "predict_proba"):
        proba = members.given(answer.probabilities, each, "probabilities")
        return members.spread(each, proba, fitted.n_classes_, graph)
    return _ballot(members.codes(each, answer, graph), fitted.n_classes_, 1.0, graph)


def bagging_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The average of the members' predictions."""
    parts = []
    for each, seen in _bag(fitted):
        value = convert(each, graph.select(frame, seen), graph).prediction
        parts.append(members.given(value, each, "a prediction"))
    return Answer(prediction=members.mean(graph, parts))


def _all(fitted: Any) -> Sequence[members.Member]:
    if any(isinstance(each, list) for each in fitted.estimators_):
        raise Unsupported(f"{type(fitted).__name__} has members for several targets: fit one model per target")
    return members.everywhere(fitted, fitted.estimators_)


_SEARCHES = "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV"

_BAGS = ("BaggingClassifier", "BalancedBaggingClassifier", "EasyEnsembleClassifier")

STEPS = {
    **{name: members.delegate("best_estimator_", " (refit=False): set refit=True") for name in _SEARCHES.split()},
    "FrozenEstimator": members.delegate("estimator"),
    "RANSACRegressor": members.delegate("estimator_"),
    "SelfTrainingClassifier": members.delegate("estimator_"),
    "FixedThresholdClassifier": _threshold_step(_fixed),
    "TunedThresholdClassifierCV": _threshold_step(_tuned),
    "VotingClassifier": members.of_members(voting_classifier, _all),
    "VotingRegressor": members.of_members(voting_regressor, _all),
    "StackingClassifier": Step(stacking, thresholds=_stack_thresholds, values=_stack_values),
    "StackingRegressor": Step(stacking, thresholds=_stack_thresholds, values=_stack_values),
    **{name: members.of_members(bagging_classifier, _bag) for name in _BAGS},
    "BaggingRegressor": members.of_members(bagging_regressor, _bag),
}
