"""Boosting: sums of regression trees behind a link, and committees that vote by weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._graph.builder import Frame, GraphBuilder, Value
from .._lookup import convert, thresholds_of, transform
from .._steps.step import Answer, Step, Thresholds
from .._trees.arrays import Trees, unique_thresholds, with_base
from .._trees.ensemble_sum import per_tree, tree_sum
from ..spec import Scalar, Unsupported
from ._tree_export import SUMS, arg_max, column, forest, matrix, real, shares, single_values


def _single_trees(estimators: Sequence[Any]) -> bool:
    """Whether all are scikit-learn's own trees, so that they fit into one node of the graph."""
    return all(type(each).__module__.startswith("sklearn.tree.") for each in estimators)


def _boosted(fitted: Any) -> Trees:
    """The trees of a gradient boosting model, each scaled by the learning rate as its prediction is."""
    import numpy as np

    grown = [each.tree_ for each in fitted.estimators_.ravel()]
    targets = fitted.estimators_.shape[1]
    target = np.repeat(np.arange(len(grown)) % targets, [tree.node_count for tree in grown])
    return forest(grown, fitted.learning_rate * single_values(grown), target, targets)


def _boosted_raw(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """What the trees add up to on top of the initial estimator, `float64 [N, targets]`."""
    import numpy as np

    x = matrix(graph, frame, "float32")
    trees = _boosted(fitted)
    first = fitted.init_
    if isinstance(first, str):
        return tree_sum(graph, trees, x, "float32", SUMS)
    if type(first).__module__ == "sklearn.dummy":
        if getattr(first, "strategy", "") == "stratified":
            raise Unsupported("init=DummyClassifier(strategy='stratified') answers at random")
        base = fitted._raw_predict_init(np.zeros((1, fitted.n_features_in_), np.float32))[0]
        return tree_sum(graph, with_base(trees, base), x, "float32", SUMS)
    start = _initial(fitted, graph.cast(x, graph.real), graph)
    return graph.op("Add", start, tree_sum(graph, trees, x, "float32", SUMS))


def _initial(fitted: Any, x: Value, graph: GraphBuilder) -> str:
    """The initial estimator's answer in the units of the sum; it sees the matrix rounded to float32."""
    import numpy as np

    answer = convert(fitted.init_, (x,), graph)
    if answer.probabilities is None:
        if answer.prediction is None:
            raise Unsupported(f"init={type(fitted.init_).__name__} gives neither probabilities nor a prediction")
        return graph.op("Reshape", _double(graph, answer.prediction), graph.const([-1, 1], "int64"))
    eps = np.finfo(np.float64).eps
    shares_ = graph.op("Clip", _double(graph, answer.probabilities), _number(graph, eps), _number(graph, 1 - eps))
    if fitted.estimators_.shape[1] > 1:
        logs = graph.op("Log", shares_)
        return graph.op("Sub", logs, graph.op("ReduceMean", logs, graph.const([1], "int64"), keepdims=1))
    positive = graph.op("Gather", shares_, graph.const([1], "int64"), axis=1)
    odds = graph.op("Div", positive, graph.op("Sub", _number(graph, 1.0), positive))
    logit = graph.op("Log", odds)
    return graph.op("Mul", logit, _number(graph, 0.5)) if fitted.loss == "exponential" else logit


def _double(graph: GraphBuilder, name: str) -> str:
    return graph.cast(Value(name, graph.real), SUMS).name


def _number(graph: GraphBuilder, value: float) -> str:
    return graph.const(value, SUMS)


def boosting_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The sum of the trees."""
    return Answer(prediction=real(graph, column(graph, _boosted_raw(fitted, frame, graph))))


def boosting_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Sigmoid or softmax of the sums; with two classes a sum of 0 is the second."""
    raw = _boosted_raw(fitted, frame, graph)
    scale = 2.0 if fitted.loss == "exponential" else 1.0
    if fitted.estimators_.shape[1] > 1:
        return _softmax(graph, raw)
    return _sigmoid(graph, raw, "GreaterOrEqual", scale)


def _softmax(graph: GraphBuilder, raw: str) -> Answer:
    shares_ = graph.op("Softmax", raw, axis=1)
    return Answer(index=arg_max(graph, raw), probabilities=real(graph, shares_), decision=real(graph, raw))


def _sigmoid(graph: GraphBuilder, raw: str, second: str, scale: float = 1.0) -> Answer:
    """The two classes' shares; `second`: the comparison with 0 that makes it the second class."""
    index = graph.op("Cast", column(graph, graph.op(second, raw, _number(graph, 0.0))), to=7)
    exponent = graph.op("Mul", raw, _number(graph, -scale))
    positive = graph.op("Div", _number(graph, 1.0), graph.op("Add", graph.op("Exp", exponent), _number(graph, 1.0)))
    both = graph.op("Concat", graph.op("Sub", _number(graph, 1.0), positive), positive, axis=1)
    return Answer(index=index, probabilities=real(graph, both), decision=real(graph, column(graph, raw)))


def _boosted_thresholds(fitted: Any) -> Thresholds:
    found = unique_thresholds(_boosted(fitted), fitted.n_features_in_)
    if isinstance(fitted.init_, str):
        return found
    return [a + b for a, b in zip(found, thresholds_of(fitted.init_, len(found)))]


def _histogram(fitted: Any) -> Trees:
    """The trees of a histogram gradient boosting model; columns as its own encoder orders them."""
    import numpy as np

    predictors = [each for row in fitted._predictors for each in row]
    counts = [len(each.nodes) for each in predictors]
    shift = np.repeat(np.cumsum([0, *counts])[:-1], counts)
    nodes = np.concatenate([each.nodes for each in predictors])
    is_leaf = nodes["is_leaf"].astype(bool)
    targets = fitted.n_trees_per_iteration_
    return Trees(
        roots=np.cumsum([0, *counts])[:-1],
        feature=np.where(is_leaf, -1, nodes["feature_idx"]),
        threshold=nodes["num_threshold"],
        left=np.where(is_leaf, 0, nodes["left"] + shift),
        right=np.where(is_leaf, 0, nodes["right"] + shift),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        leaf=nodes["value"],
        target=np.repeat(np.arange(len(predictors)) % targets, counts),
        targets=targets,
        category=_categories(fitted, nodes, np.repeat(np.arange(len(predictors)), counts), predictors),
    )


def _categories(fitted: Any, nodes: Any, owner: Any, predictors: Any) -> dict[int, frozenset[int]]:
    """The codes that go left, by node; unknown codes reach the trees as missing, by the encoder."""
    import numpy as np

    tests = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool))
    if len(tests) and getattr(fitted, "_preprocessor", None) is None:
        raise Unsupported("categorical_features of a model fitted before scikit-learn 1.4 are not supported: fit again")
    words = [predictors[owner[i]].raw_left_cat_bitsets[nodes["bitset_idx"][i]] for i in tests]
    bits = [np.unpackbits(word.astype("<u4").view(np.uint8), bitorder="little") for word in words]
    return {int(i): frozenset(np.flatnonzero(each).tolist()) for i, each in zip(tests, bits)}


def _encoded_positions(fitted: Any) -> tuple[list[int], list[int]]:
    """The input columns that the model encodes, and the others, each in the order of its matrix."""
    categorical = getattr(fitted, "is_categorical_", None)
    if getattr(fitted, "_preprocessor", None) is None or categorical is None:
        return [], list(range(fitted.n_features_in_))
    return [i for i, c in enumerate(categorical) if c], [i for i, c in enumerate(categorical) if not c]


def _histogram_raw(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """The baseline and the trees on top, `float64 [N, targets]`; compared in double."""
    import numpy as np

    coded, plain = _encoded_positions(fitted)
    parts: Frame = graph.select(frame, plain) if plain else ()
    if coded:
        encoder = fitted._preprocessor.named_transformers_["encoder"]
        parts = (*transform(encoder, graph.select(frame, coded), graph), *parts)
    trees = with_base(_histogram(fitted), np.asarray(fitted._baseline_prediction, float).ravel().tolist())
    return tree_sum(graph, trees, matrix(graph, parts, "float64"), "float64", SUMS)


def histogram_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The sum through the inverse link of the loss."""
    raw = column(graph, _histogram_raw(fitted, frame, graph))
    link = type(fitted._loss.link).__name__
    if link not in ("IdentityLink", "LogLink"):
        raise Unsupported(f"the loss {fitted.loss!r} has the link {link}, which is not supported")
    return Answer(prediction=real(graph, graph.op("Exp", raw) if link == "LogLink" else raw))


def histogram_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """Sigmoid or softmax of the sums; with two classes a sum of 0 is the first."""
    raw = _histogram_raw(fitted, frame, graph)
    return _softmax(graph, raw) if fitted.n_trees_per_iteration_ > 1 else _sigmoid(graph, raw, "Greater")


def _histogram_thresholds(fitted: Any) -> Thresholds:
    coded, plain = _encoded_positions(fitted)
    inner = unique_thresholds(_histogram(fitted), fitted.n_features_in_)
    found: Thresholds = [[] for _ in inner]
    for place, position in enumerate(plain):
        found[position] = inner[len(coded) + place]
    return found


def _histogram_values(fitted: Any) -> list[list[Scalar] | None]:
    coded, _ = _encoded_positions(fitted)
    found: list[list[Scalar] | None] = [None] * fitted.n_features_in_
    if coded:
        known = fitted._preprocessor.named_transformers_["encoder"].categories_
        for position, categories in zip(coded, known):
            found[position] = categories.tolist()
    return found


def _votes(fitted: Any, estimator: Any, weight: float) -> Any:
    """What each class of the estimator adds to each class of the committee, `[its classes, classes]`."""
    import numpy as np

    own = np.asarray(estimator.classes_)[:, None] == np.asarray(fitted.classes_)[None]
    return np.where(own, weight, -1 / (len(fitted.classes_) - 1) * weight)


def ada_classifier(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The weighted votes, and their softmax."""
    classes = len(fitted.classes_)
    if classes == 1:
        raise Unsupported("AdaBoostClassifier was fitted on a single class: there is nothing to decide")
    votes = graph.op("Div", _ada_sum(fitted, frame, graph), _number(graph, fitted.estimator_weights_.sum()))
    if classes > 2:
        scaled = graph.op("Div", votes, _number(graph, float(classes - 1)))
        shares_ = graph.op("Softmax", scaled, axis=1)
        return Answer(index=arg_max(graph, votes), probabilities=real(graph, shares_), decision=real(graph, votes))
    decision = graph.op("Sub", _pick(graph, votes, 1), _pick(graph, votes, 0))
    index = graph.op("Cast", column(graph, graph.op("Greater", decision, _number(graph, 0.0))), to=7)
    sides = graph.op("Mul", decision, graph.const([[-0.5, 0.5]], SUMS))
    shares_ = graph.op("Softmax", sides, axis=1)
    return Answer(index=index, probabilities=real(graph, shares_), decision=real(graph, column(graph, decision)))


def _pick(graph: GraphBuilder, values: str, i: int) -> str:
    return graph.op("Gather", values, graph.const([i], "int64"), axis=1)


def _ada_sum(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    import numpy as np

    votes = [_votes(fitted, each, w) for each, w in zip(fitted.estimators_, fitted.estimator_weights_)]
    if _single_trees(fitted.estimators_):
        grown = [each.tree_ for each in fitted.estimators_]
        chosen = [vote[np.argmax(shares([tree]), axis=1)] for vote, tree in zip(votes, grown)]
        trees = forest(grown, np.concatenate(chosen), targets=len(fitted.classes_))
        return tree_sum(graph, trees, matrix(graph, frame, "float32"), "float32", SUMS)
    total = ""
    for each, vote in zip(fitted.estimators_, votes):
        index = convert(each, frame, graph).index
        if index is None:
            raise Unsupported(f"AdaBoostClassifier holds {type(each).__name__}, which is no classifier here")
        added = graph.op("Gather", graph.const(vote, SUMS), index)
        total = graph.op("Add", total, added) if total else added
    return total


def ada_regressor(fitted: Any, frame: Frame, graph: GraphBuilder) -> Answer:
    """The weighted median of the estimators' predictions."""
    import numpy as np

    predictions = _ada_predictions(fitted, frame, graph)
    count = graph.const([len(fitted.estimators_)], "int64")
    ordered, order = graph.ops("TopK", [predictions, count], 2, axis=1, largest=0, sorted=1)
    weights = np.asarray(fitted.estimator_weights_[: len(fitted.estimators_)], float)
    reached = graph.op("CumSum", graph.op("Gather", graph.const(weights, SUMS), order), graph.const(1, "int64"))
    half = graph.op("Mul", _pick(graph, reached, len(weights) - 1), _number(graph, 0.5))
    enough = graph.op("Cast", graph.op("GreaterOrEqual", reached, half), to=7)
    median = graph.op("ArgMax", enough, axis=1, keepdims=1)
    return Answer(prediction=real(graph, column(graph, graph.op("GatherElements", ordered, median, axis=1))))


def _ada_predictions(fitted: Any, frame: Frame, graph: GraphBuilder) -> str:
    """`float64 [N, estimators]`."""
    if _single_trees(fitted.estimators_):
        grown = [each.tree_ for each in fitted.estimators_]
        return per_tree(graph, forest(grown, single_values(grown)), matrix(graph, frame, "float32"), "float32")
    answers = [convert(each, frame, graph).prediction for each in fitted.estimators_]
    if any(each is None for each in answers):
        raise Unsupported("AdaBoostRegressor holds an estimator that gives no prediction here")
    shape = graph.const([-1, 1], "int64")
    columns = [graph.op("Reshape", _double(graph, each), shape) for each in answers if each is not None]
    return graph.op("Concat", *columns, axis=1)


def _ada_thresholds(fitted: Any) -> Thresholds:
    width = fitted.n_features_in_
    every = [thresholds_of(each, width) for each in fitted.estimators_]
    return [sorted({t for each in every for t in each[i]}) for i in range(width)]


STEPS = {
    "GradientBoostingRegressor": Step(boosting_regressor, thresholds=_boosted_thresholds),
    "GradientBoostingClassifier": Step(boosting_classifier, thresholds=_boosted_thresholds),
    "HistGradientBoostingRegressor": Step(
        histogram_regressor, thresholds=_histogram_thresholds, values=_histogram_values
    ),
    "HistGradientBoostingClassifier": Step(
        histogram_classifier, thresholds=_histogram_thresholds, values=_histogram_values
    ),
    "AdaBoostClassifier": Step(ada_classifier, thresholds=_ada_thresholds),
    "RUSBoostClassifier": Step(ada_classifier, thresholds=_ada_thresholds),
    "AdaBoostRegressor": Step(ada_regressor, thresholds=_ada_thresholds),
}
