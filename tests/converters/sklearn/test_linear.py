"""Linear models against their originals, at ties, at extremes and on empty batches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import cross_decomposition, discriminant_analysis, linear_model, svm
from sklearn.datasets import make_classification, make_regression

from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

linear = linear_model


def regression(targets: int = 1) -> tuple[Any, Any]:
    return make_regression(120, 5, n_targets=targets, noise=3.0, random_state=1)


def classes(count: int) -> tuple[Any, Any]:
    return make_classification(150, 6, n_informative=4, n_redundant=0, n_classes=count, random_state=2)


def fit(model: Any, x: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


def rows(x: Any) -> Any:
    """The data, rows near zero, and rows far away in each column."""
    far = [np.eye(x.shape[1]) * size for size in (1e4, -1e4, 1e30, -1e30, 1e-300)]
    return np.vstack([x, np.zeros((1, x.shape[1])), *far])


def check(model: Any, x: Any) -> None:
    assert_same(model, rows(x))
    assert_same(model, x[:1])
    assert_empty(model, x[:2])
    assert_same(model, x, "float32", rtol=1e-4, atol=1e-4)


REGRESSORS = [
    linear.LinearRegression(),
    linear.LinearRegression(fit_intercept=False, positive=True),
    linear.Ridge(),
    linear.RidgeCV(),
    linear.Lasso(),
    linear.LassoCV(cv=3),
    linear.ElasticNet(),
    linear.ElasticNetCV(cv=3),
    linear.Lars(),
    linear.LarsCV(cv=3),
    linear.LassoLars(),
    linear.LassoLarsCV(cv=3),
    linear.LassoLarsIC(),
    linear.BayesianRidge(),
    linear.ARDRegression(),
    linear.HuberRegressor(),
    linear.TheilSenRegressor(random_state=0, max_subpopulation=100),
    linear.RANSACRegressor(random_state=0),
    linear.QuantileRegressor(),
    linear.SGDRegressor(random_state=0),
    linear.PassiveAggressiveRegressor(random_state=0),
    linear.OrthogonalMatchingPursuit(),
    linear.OrthogonalMatchingPursuitCV(cv=3),
    svm.LinearSVR(random_state=0),
    cross_decomposition.PLSRegression(),
]


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda m: type(m).__name__)
def test_regressor(model: Any) -> None:
    x, y = regression()
    check(fit(model, x, y), x)


SEVERAL = [
    linear.LinearRegression(),
    linear.Ridge(),
    linear.Lasso(),
    linear.MultiTaskLasso(),
    linear.MultiTaskLassoCV(cv=3),
    linear.MultiTaskElasticNet(),
    linear.MultiTaskElasticNetCV(cv=3),
    linear.OrthogonalMatchingPursuit(),
    linear.Lars(),
    cross_decomposition.PLSRegression(),
    cross_decomposition.PLSCanonical(),
    cross_decomposition.CCA(),
]


@pytest.mark.parametrize("model", SEVERAL, ids=lambda m: type(m).__name__)
def test_several_targets(model: Any) -> None:
    x, y = regression(3)
    check(fit(model, x, y), x)


def test_one_target_as_a_column() -> None:
    x, y = regression()
    check(linear.LinearRegression().fit(x, y[:, None]), x)


@pytest.mark.parametrize(
    "model",
    [
        linear.PoissonRegressor(),
        linear.GammaRegressor(),
        linear.TweedieRegressor(power=0),
        linear.TweedieRegressor(power=1.5),
        linear.TweedieRegressor(power=0, link="log"),
        linear.TweedieRegressor(power=2, link="identity", alpha=100),
    ],
    ids=str,
)
def test_generalised(model: Any) -> None:
    x, y = regression()
    check(fit(model, x, np.exp(y / 100) + 0.1), x)


CLASSIFIERS = [
    linear.LogisticRegression(),
    linear.LogisticRegression(C=1e4, fit_intercept=False),
    linear.LogisticRegressionCV(cv=3),
    linear.RidgeClassifier(),
    linear.RidgeClassifierCV(),
    linear.SGDClassifier(random_state=0),
    linear.SGDClassifier(loss="log_loss", random_state=0),
    linear.SGDClassifier(loss="modified_huber", random_state=0),
    linear.Perceptron(random_state=0),
    linear.PassiveAggressiveClassifier(random_state=0),
    svm.LinearSVC(random_state=0),
    discriminant_analysis.LinearDiscriminantAnalysis(),
    discriminant_analysis.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    discriminant_analysis.LinearDiscriminantAnalysis(solver="eigen"),
]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'loss', '')}")
def test_classifier(model: Any, count: int) -> None:
    x, y = classes(count)
    check(fit(model, x, np.array(["é", "b", "c"])[y]), x)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("settings", [{}, {"reg_param": 0.1}, {"solver": "eigen", "shrinkage": 0.2}], ids=str)
def test_quadratic_discriminant(count: int, settings: dict[str, Any]) -> None:
    x, y = classes(count)
    x = x + np.array([1e5, 0, 0, 0, 0, -1e3])
    rng = np.random.default_rng(0)
    model = fit(discriminant_analysis.QuadraticDiscriminantAnalysis(**settings), x + rng.normal(size=x.shape) / 9, y)
    assert_same(model, np.vstack([x, x * 1.5]))
    assert_empty(model, x[:2])


def test_tie_goes_where_the_original_sends_it() -> None:
    """Integer coefficients make decisions of exactly 0 and exact ties between classes."""
    grid = np.array([[i, j] for i in range(-3, 4) for j in range(-3, 4)], float)
    binary = linear.LogisticRegression().fit(grid, grid[:, 0] > 0)
    binary.coef_, binary.intercept_ = np.array([[1.0, -1.0]]), np.array([0.0])
    assert (binary.decision_function(grid) == 0).sum() == 7
    assert_same(binary, grid)
    several = linear.LogisticRegression().fit(grid, np.sign(grid[:, 0]))
    several.coef_, several.intercept_ = np.array([[1.0, 0], [0, 1.0], [1.0, 0]]), np.zeros(3)
    assert_same(several, grid)
    assert_same(several, grid, "float32")


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_every_class_at_zero_probability_is_uniform(loss: str) -> None:
    x, y = classes(3)
    model = fit(linear.SGDClassifier(loss=loss, random_state=0), x, y)
    model.coef_, model.intercept_ = np.ones((3, 6)), np.array([-1.0, -2.0, -3.0])
    far = np.ones((4, 6)) * np.array([[-200.0], [-50.0], [-6.0], [0.0]])
    want, _ = answers(model, far, "float64")
    assert np.allclose(want["probabilities"][0], 1 / 3)
    assert_same(model, far)


def test_integer_and_float_columns_of_a_frame() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"id": 2**40 + rng.integers(0, 1000, 80), "w": rng.normal(size=80), "on": rng.random(80) > 0.5}
    )
    model = linear.LinearRegression().fit(frame, frame["w"] * 2 + frame["on"])
    assert_same(model, frame, rtol=1e-7)
    assert_empty(model, frame[:2])


def test_outliers() -> None:
    x, _ = classes(2)
    check(linear.SGDOneClassSVM(random_state=0).fit(x), x)
