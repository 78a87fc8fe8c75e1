"""Members of meta-estimators: the answer a member is asked for, and what is known of all members together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable

from .._graph.builder import Frame, GraphBuilder, Value
from .._lookup import back_through, bounds_of, convert, thresholds_of, values_of
from .._steps.step import Answer, Step, Thresholds
from ..spec import Scalar, Unsupported
from . import _scores as scores

BOTH = ("predict_proba", "decision_function")


def given(value: str | None, fitted: Any, what: str) -> str:
    """The value; `Unsupported` where the member's converter does not give it."""
    if value is None:
        raise Unsupported(f"the converter of {type(fitted).__name__} does not give {what}, as its holder needs")
    return value


def response(fitted: Any, answer: Answer, methods: Sequence[str]) -> tuple[str, str]:
    """The value and the name of the first of `methods` that the member has."""
    method = next((m for m in methods if hasattr(fitted, m)), None)
    if method is None:
        raise Unsupported(f"{type(fitted).__name__} has none of {', '.join(methods)}")
    value = answer.probabilities if method == "predict_proba" else answer.decision
    return given(value, fitted, method), method


def binary_score(fitted: Any, answer: Answer, graph: GraphBuilder) -> str:
    """`_predict_binary`, `[N, 1]`: a regressor's prediction, a decision, or the probability of the second class."""
    from sklearn.base import is_regressor

    if is_regressor(fitted) and type(fitted).__name__ != "_ConstantPredictor":
        return scores.column(graph, given(answer.prediction, fitted, "a prediction"))
    value, method = response(fitted, answer, ("decision_function", "predict_proba"))
    return scores.column(graph, value) if method == "decision_function" else scores.pick(graph, value, 1)


def binary_threshold(fitted: Any) -> float:
    """What a binary score must exceed for the second class."""
    from sklearn.base import is_classifier

    return 0.0 if hasattr(fitted, "decision_function") and is_classifier(fitted) else 0.5


def codes(fitted: Any, answer: Answer, graph: GraphBuilder) -> str:
    """What a member that was fitted on codes 0, 1, 2, … predicts, `int64 [N]`."""
    import numpy as np

    index = given(answer.index, fitted, "labels")
    known = np.asarray(fitted.classes_)
    if known.dtype.kind not in "iub":
        raise Unsupported(f"a member ({type(fitted).__name__}) was fitted on labels of its own, not on codes")
    if np.array_equal(known, np.arange(len(known))):
        return index
    return graph.op("Gather", graph.const(known.astype(np.int64)), index)


def spread(fitted: Any, value: str, count: int, graph: GraphBuilder) -> str:
    """A member's columns in the places of all `count` classes, 0 where it has not seen a class."""
    import numpy as np

    known = np.asarray(fitted.classes_)
    if len(known) == count:
        return value
    return placed(graph, value, known, count)


def placed(graph: GraphBuilder, value: str, positions: Any, count: int) -> str:
    """Columns of the value at `positions` of `count` columns, 0 elsewhere."""
    import numpy as np

    return scores.gemm(graph, value, np.eye(count)[np.asarray(positions, int)], 0.0)


def mean(graph: GraphBuilder, values: Sequence[str], weights: Sequence[float] | None = None) -> str:
    """The average of several values of one shape."""
    if weights is None:
        return graph.op("Div", total(graph, values), graph.const(float(len(values))))
    heavy = [graph.op("Mul", v, graph.const(float(w))) for v, w in zip(values, weights)]
    return graph.op("Div", total(graph, heavy), graph.const(float(sum(weights))))


def total(graph: GraphBuilder, values: Sequence[str]) -> str:
    """The sum of several values of one shape, from the first on."""
    return values[0] if len(values) == 1 else graph.op("Sum", *values)


def side_by_side(graph: GraphBuilder, parts: Sequence[str]) -> str:
    """Matrices with the same rows as one."""
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=1)


def block(graph: GraphBuilder, value: str, width: int) -> Value:
    """A matrix of numbers as a part of a frame."""
    return Value(value, graph.real, width)


def width_of(fitted: Any) -> int:
    """How many columns the model takes."""
    return int(getattr(fitted, "n_features_in_", 1))


Member = tuple[Any, Sequence[int]]
"""A fitted member and the positions of the columns that it sees (past the frame's own: nothing is known)."""


def everywhere(fitted: Any, members: Iterable[Any]) -> list[Member]:
    """Members that see every column."""
    return [(member, range(width_of(fitted))) for member in members]


def members_thresholds(
    fitted: Any, members: Iterable[Member], numbers: Callable[[Any, int], Thresholds] = thresholds_of
) -> Thresholds:
    """The thresholds (or, with `bounds_of`, the bounds) of all members, each once."""
    found: list[set[float]] = [set() for _ in range(width_of(fitted))]
    for member, positions in members:
        for position, own in zip(positions, numbers(member, len(positions))):
            if position < len(found):
                found[position].update(own)
    return [sorted(values) for values in found]


def members_values(fitted: Any, members: Iterable[Member]) -> list[list[Scalar] | None]:
    """The values that any member knows, each once."""
    found: list[dict[Scalar, None] | None] = [None] * width_of(fitted)
    for member, positions in members:
        for position, own in zip(positions, values_of(member, len(positions))):
            if own is not None and position < len(found):
                found[position] = {**(found[position] or {}), **dict.fromkeys(own)}
    return [None if values is None else list(values) for values in found]


def delegate(attribute: str, missing: str = "") -> Step:
    """The step of a model that hands everything to the one in `attribute`."""

    def inner(fitted: Any) -> Any:
        held = vars(fitted).get(attribute)
        if held is None:
            raise Unsupported(f"{type(fitted).__name__} has no {attribute}{missing}")
        return held

    def through(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
        return convert(inner(fitted), frame, graph)

    def back(fitted: Any, thresholds: Thresholds) -> Thresholds:
        return back_through(inner(fitted), thresholds, width_of(fitted))

    return Step(
        through,
        thresholds=lambda fitted: thresholds_of(inner(fitted), width_of(fitted)),
        back=back,
        values=lambda fitted: values_of(inner(fitted), width_of(fitted)),
        bounds=lambda fitted: bounds_of(inner(fitted), width_of(fitted)),
    )


def of_members(
    through: Callable[[Any, Frame, GraphBuilder], Answer], members: Callable[[Any], Iterable[Member]]
) -> Step:
    """A step whose thresholds, values and bounds are those of `members(fitted)`."""
    return Step(
        through,
        thresholds=lambda fitted: members_thresholds(fitted, members(fitted)),
        values=lambda fitted: members_values(fitted, members(fitted)),
        bounds=lambda fitted: members_thresholds(fitted, members(fitted), bounds_of),
    )
