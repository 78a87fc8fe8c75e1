"""Models made of others against their originals: thresholds, subsets of classes and columns, ties, empty batches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import (
    calibration,
    dummy,
    ensemble,
    linear_model,
    model_selection,
    multiclass,
    multioutput,
    semi_supervised,
    svm,
)
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification, make_regression
from sklearn.frozen import FrozenEstimator
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._graph.builder import GraphBuilder, Value
from mlpack_toolkit.converters._lookup import convert
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

Logistic, Ridge, RidgeClassifier = linear_model.LogisticRegression, linear_model.Ridge, linear_model.RidgeClassifier
LABELS = np.array(["b", "é", "a", "d"])


def classes(count: int = 3, rows: int = 160) -> tuple[Any, Any]:
    x, y = make_classification(rows, 6, n_informative=4, n_redundant=0, n_classes=count, random_state=9)
    return x, LABELS[y]


def regression(targets: int = 1) -> tuple[Any, Any]:
    x, y = make_regression(120, 5, n_targets=targets, noise=2.0, random_state=3)
    return x, y / 100


def fit(model: Any, *data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data)


def check(model: Any, x: Any, coarse: bool = True) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same(model, np.vstack([x, x * 5, np.zeros((1, x.shape[1]))]))
        assert_same(model, x[:1])
        assert_empty(model, x[:2])
        if coarse:
            assert_same(model, x, "float32", rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        model_selection.GridSearchCV(Logistic(), {"C": [0.1, 1]}, cv=3),
        model_selection.RandomizedSearchCV(Logistic(), {"C": [0.1, 1]}, n_iter=2, cv=3),
        multiclass.OneVsRestClassifier(Logistic()),
        multiclass.OneVsRestClassifier(svm.SVC()),
        multiclass.OneVsRestClassifier(svm.LinearSVC()),
        multiclass.OneVsRestClassifier(GaussianNB()),
        multiclass.OneVsRestClassifier(Ridge()),
        multiclass.OneVsOneClassifier(Logistic()),
        multiclass.OneVsOneClassifier(svm.SVC()),
        multiclass.OneVsOneClassifier(GaussianNB()),
        multiclass.OutputCodeClassifier(Logistic(), random_state=0),
        multiclass.OutputCodeClassifier(GaussianNB(), code_size=3, random_state=0),
        dummy.DummyClassifier(strategy="prior"),
        dummy.DummyClassifier(strategy="most_frequent"),
        dummy.DummyClassifier(strategy="constant", constant="é"),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [2, 3])
def test_classifier(model: Any, count: int) -> None:
    x, y = classes(count)
    check(fit(model, x, y), x)


def test_frozen_and_self_training() -> None:
    x, y = classes(3)
    check(FrozenEstimator(Logistic().fit(x, y)), x)
    codes = np.unique(y, return_inverse=True)[1]
    codes[::3] = -1
    check(fit(semi_supervised.SelfTrainingClassifier(Logistic()), x, codes), x)


def test_a_search_without_a_refit_is_refused() -> None:
    x, y = classes(2)
    model = fit(model_selection.GridSearchCV(Logistic(), {"C": [1]}, cv=3, refit=False), x, y)
    with pytest.raises(Unsupported, match="refit=True"):
        convert(model, (Value("X", "float64", 6),), GraphBuilder("float64"))


@pytest.mark.parametrize("member", [Logistic(), svm.SVC(), GaussianNB()], ids=str)
@pytest.mark.parametrize("pos_label", [None, "b", "é"])
def test_fixed_threshold(member: Any, pos_label: Any) -> None:
    x, y = classes(2)
    for threshold in ("auto", 0.3):
        model = model_selection.FixedThresholdClassifier(member, threshold=threshold, pos_label=pos_label).fit(x, y)
        check(model, x)
    by = "decision_function" if hasattr(member, "decision_function") else "predict_proba"
    model = model_selection.FixedThresholdClassifier(member, threshold=-0.2, response_method=by).fit(x, y)
    check(model, x)


def test_fixed_threshold_exactly_met() -> None:
    x, y = classes(2)
    inner = Logistic().fit(x, y)
    inner.coef_, inner.intercept_ = np.eye(1, 6), np.zeros(1)
    model = model_selection.FixedThresholdClassifier(FrozenEstimator(inner)).fit(x, y)
    at = np.zeros((3, 6))
    at[1:, 0] = [np.nextafter(0, 1), -0.001]
    assert_same(model, at)


@pytest.mark.parametrize("member", [Logistic(), svm.LinearSVC(), GaussianNB()], ids=str)
def test_tuned_threshold(member: Any) -> None:
    x, y = classes(2)
    kinds: list[dict[str, Any]] = [{"cv": 0.5, "random_state": 1}, {"thresholds": 7, "cv": 3}]
    for settings in kinds:
        model = fit(model_selection.TunedThresholdClassifierCV(member, **settings), x, y)
        check(model, x)
    rare = fit(model_selection.TunedThresholdClassifierCV(member, scoring="recall", cv=2), x, (y == "b").astype(int))
    check(rare, x)


MEMBERS = [("lr", Logistic()), ("nb", GaussianNB()), ("bern", BernoulliNB(binarize=0.25))]


@pytest.mark.parametrize("voting", ["soft", "hard"])
@pytest.mark.parametrize("weights", [None, [2, 1, 0.5], [1, 1, 1]], ids=str)
@pytest.mark.parametrize("count", [2, 4])
def test_votes(count: int, weights: Any, voting: str) -> None:
    x, y = classes(count)
    check(ensemble.VotingClassifier(MEMBERS, voting=voting, weights=weights).fit(x, y), x)


def test_votes_with_a_member_dropped() -> None:
    x, y = classes(3)
    model = ensemble.VotingClassifier(MEMBERS, weights=[1, 5, 2]).set_params(nb="drop").fit(x, y)
    check(model, x)


@pytest.mark.parametrize("weights", [None, [1, 3]])
def test_average_of_regressors(weights: Any) -> None:
    x, y = regression()
    pair = [("r", Ridge()), ("s", svm.SVR())]
    check(ensemble.VotingRegressor(pair, weights=weights).fit(x, y), x)


@pytest.mark.parametrize("method", ["auto", "predict", "predict_proba"])
@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_stack(count: int, through: bool, method: str) -> None:
    x, y = classes(count)
    model = ensemble.StackingClassifier(MEMBERS, stack_method=method, passthrough=through, cv=3)
    check(fit(model, x, y), x)


@pytest.mark.parametrize("count", [2, 3])
def test_stack_of_decisions_under_a_machine(count: int) -> None:
    x, y = classes(count)
    pair = [("svc", svm.SVC()), ("lin", svm.LinearSVC()), ("lr", Logistic())]
    model = ensemble.StackingClassifier(pair, final_estimator=svm.LinearSVC(), stack_method="decision_function", cv=3)
    check(fit(model, x, y), x)
    prefit = [("svc", svm.SVC().fit(x, y)), ("lr", Logistic().fit(x, y))]
    check(fit(ensemble.StackingClassifier(prefit, cv="prefit"), x, y), x)


@pytest.mark.parametrize("through", [False, True])
def test_stack_of_regressors(through: bool) -> None:
    x, y = regression()
    pair = [("r", Ridge()), ("gone", "drop"), ("s", svm.SVR())]
    check(fit(ensemble.StackingRegressor(pair, final_estimator=Ridge(), passthrough=through), x, y), x)


@pytest.mark.parametrize("features", [1.0, 0.5])
@pytest.mark.parametrize(
    "member", [KNeighborsClassifier(3), multiclass.OneVsOneClassifier(linear_model.RidgeClassifier())], ids=str
)
def test_bag_whose_members_miss_classes(member: Any, features: float) -> None:
    x, y = classes(3)
    rare = np.where(np.arange(len(y)) < 3, "z", y)
    model = ensemble.BaggingClassifier(member, 7, max_samples=0.3, max_features=features, random_state=0).fit(x, rare)
    assert hasattr(member, "predict_proba") or not hasattr(model.estimators_[0], "predict_proba")
    assert len({len(m.classes_) for m in model.estimators_}) > 1
    check(model, x, coarse=False)


@pytest.mark.parametrize("member", [Logistic(), svm.SVC(), svm.LinearSVC()], ids=str)
def test_bag(member: Any) -> None:
    x, y = classes(3)
    check(ensemble.BaggingClassifier(member, 4, max_features=0.5, random_state=0).fit(x, y), x)


def test_bag_of_regressors() -> None:
    x, y = regression()
    check(ensemble.BaggingRegressor(Ridge(), 5, max_features=3, random_state=0).fit(x, y), x)


@pytest.mark.parametrize("order", [None, [2, 0, 1], "random"], ids=str)
def test_several_targets(order: Any) -> None:
    x, y = regression(3)
    check(multioutput.RegressorChain(Ridge(), order=order, random_state=4).fit(x, y), x)
    check(multioutput.MultiOutputRegressor(svm.SVR()).fit(x, y), x)


@pytest.mark.parametrize("strategy", ["mean", "median", "quantile"])
def test_dummy_regressor(strategy: str) -> None:
    for targets in (1, 2):
        x, y = regression(targets)
        check(dummy.DummyRegressor(strategy=strategy, quantile=0.3).fit(x, y), x)


@pytest.mark.parametrize("strategy", ["uniform", "stratified"])
def test_random_answers_are_refused(strategy: str) -> None:
    x, y = classes(2)
    with pytest.raises(Unsupported, match="at random"):
        answers(dummy.DummyClassifier(strategy=strategy).fit(x, y), x, "float64")


TRANSFORMERS = [
    None,
    StandardScaler(),
    MinMaxScaler((-1, 2)),
    RobustScaler(),
    PowerTransformer(),
    PowerTransformer(standardize=False),
    PowerTransformer("box-cox"),
    make_pipeline(FunctionTransformer(np.log1p, np.expm1), StandardScaler()),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
@pytest.mark.parametrize("targets", [1, 2])
def test_transformed_target(transformer: Any, targets: int) -> None:
    x, y = regression(targets)
    check(fit(TransformedTargetRegressor(Ridge(), transformer=transformer), x, np.exp(y / 2)), x)


@pytest.mark.parametrize("shape", ["normal", "uniform"])
@pytest.mark.parametrize("count", [2, 40, 100])
@pytest.mark.parametrize("targets", [1, 2])
def test_a_target_among_its_quantiles(shape: str, count: int, targets: int) -> None:
    """Back from the middle, from both ends and beyond, and where the quantiles repeat."""
    x, y = regression(targets)
    transformer = QuantileTransformer(n_quantiles=count, output_distribution=shape)
    model = TransformedTargetRegressor(linear_model.LinearRegression(), transformer=transformer).fit(x, np.round(y))
    rows = np.concatenate([x, x * 30, -x * 3])
    assert_same(model, rows)
    model.regressor_.coef_ = np.zeros_like(model.regressor_.coef_)
    for share in (0.0, 1.0, 0.5, -5.2, 5.2, 5.199337582605575):
        model.regressor_.intercept_ = share
        assert_same(model, rows[:3])


PAIRS = [
    (np.log, np.exp),
    (np.log1p, np.expm1),
    (np.log2, np.exp2),
    (np.exp, np.log),
    (np.expm1, np.log1p),
    (np.sqrt, np.square),
    (np.square, np.sqrt),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: p[1].__name__)
def test_function_of_the_target(pair: Any) -> None:
    x, y = regression()
    model = TransformedTargetRegressor(Ridge(), func=pair[0], inverse_func=pair[1], check_inverse=False)
    fit(model, x, np.abs(y) + 0.1)
    with np.errstate(all="ignore"):
        assert_same(model, x * 0.1)
    model.regressor_.intercept_, model.regressor_.coef_ = 0.0, np.eye(1, 5)[0] * 1e-9
    with np.errstate(all="ignore"):
        assert_same(model, np.abs(x) * 7, rtol=1e-12, atol=1e-300)


def test_own_function_of_the_target_is_refused() -> None:
    x, y = regression()
    model = TransformedTargetRegressor(Ridge(), func=lambda v: v + 1, inverse_func=lambda v: v - 1).fit(x, y)
    with pytest.raises(Unsupported, match="inverse function"):
        answers(model, x, "float64")


def test_named_columns_and_what_members_know() -> None:
    """Thresholds of members are found through every layer, in the columns of the whole."""
    x, y = classes(3)
    frame = pd.DataFrame(x, columns=list("abcdef"))
    members = [("bern", BernoulliNB(binarize=0.25)), ("lr", Logistic())]
    stack = ensemble.StackingClassifier(members, final_estimator=Logistic(), cv=2, passthrough=True)
    bag = ensemble.BaggingClassifier(stack, 3, max_features=4, random_state=1)
    model = fit(model_selection.GridSearchCV(bag, {"n_estimators": [2]}, cv=2), frame, y)
    assert_same(model, frame)
    assert_empty(model, frame[:2])
    converter = for_object(model)
    assert converter is not None
    found = {f.name: f.thresholds for f in converter.original.describe(model).features}
    seen = {i for positions in model.best_estimator_.estimators_features_ for i in positions}
    assert found == {name: (0.25,) if i in seen else () for i, name in enumerate("abcdef")}


def test_average_of_perceptrons_of_a_column() -> None:
    x, y = regression()
    x = x[:, :1]
    member = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0)
    check(fit(ensemble.VotingRegressor([("m", member), ("r", Ridge())]), x, y), x)


FOREST = ensemble.RandomForestClassifier(5, max_depth=4, random_state=0)


@pytest.mark.parametrize(
    "model",
    [
        ensemble.BaggingClassifier(n_estimators=5, max_features=0.6, random_state=0),
        ensemble.VotingClassifier([("f", FOREST), ("lr", Logistic())], voting="soft", weights=[2, 1]),
        ensemble.VotingClassifier([("f", FOREST), ("lr", Logistic()), ("nb", GaussianNB())]),
        ensemble.StackingClassifier([("f", FOREST), ("svc", svm.SVC())], cv=2, passthrough=True),
        calibration.CalibratedClassifierCV(FOREST, method="isotonic", cv=3),
        calibration.CalibratedClassifierCV(FOREST, method="sigmoid", cv=3),
        calibration.CalibratedClassifierCV(FOREST, method="temperature", cv=3),
        multiclass.OneVsRestClassifier(FOREST),
        multiclass.OneVsOneClassifier(FOREST),
        multiclass.OutputCodeClassifier(FOREST, random_state=1),
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [2, 3])
def test_around_forests(model: Any, count: int) -> None:
    """On the training rows, and at the trees' own thresholds with their neighbours in both precisions."""
    x, y = classes(count)
    fit(model, x, y)
    converter = for_object(model)
    assert converter is not None
    features = converter.original.describe(model).features
    assert any(f.thresholds for f in features)
    rng = np.random.default_rng(2)
    at = np.column_stack([rng.choice(f.thresholds or (0.0,), 400) for f in features])
    single = np.nextafter(at.astype(np.float32), np.float32(9e9)).astype(float)
    rows = np.vstack([x, at, np.nextafter(at, 9e9), np.nextafter(at, -9e9), single])
    assert_same(model, rows)
    assert_empty(model, x[:2])


def test_fixed_threshold_on_votes_of_a_forest() -> None:
    """Probabilities of a forest of five fully grown trees are fifths: many fall exactly on the threshold."""
    x, y = classes(2)
    forest = ensemble.RandomForestClassifier(5, random_state=0)
    for threshold in (0.2, 0.4, 0.6, 0.8):
        model = model_selection.FixedThresholdClassifier(forest, threshold=threshold).fit(x, y)
        assert_same(model, np.vstack([x, np.random.default_rng(0).normal(size=(500, 6)) * 2]))
