"""scikit-learn's boosted models held against their graphs: links, categories, initial estimators, votes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mlpack_toolkit.converters import for_object
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

Array = np.ndarray[Any, Any]
FORMS = ("float32", "float64")


def data(missing: bool = False, rows: int = 400) -> Array:
    """A column of a 0.1 grid, one of seconds, one of integers far above 2^24, one that is smooth."""
    rng = np.random.default_rng(0)
    x = np.column_stack(
        [
            rng.integers(0, 30, rows) / 10,
            1.7e9 + rng.integers(0, 4000, rows),
            2.0**40 + rng.integers(0, 60, rows),
            rng.normal(size=rows),
        ]
    )
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    return x


def target(x: Array) -> Array:
    rng = np.random.default_rng(1)
    plain = np.nan_to_num(x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    return np.asarray(plain @ [1.0, -1.0, 0.5, 1.0] + plain[:, 0] * plain[:, 3] + 0.3 * rng.normal(size=len(x)))


def classes(x: Array, count: int) -> Array:
    y = target(x)
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))


def adversarial(model: Any, x: Array, real: str, count: int = 400, missing: bool = False) -> Array:
    """Rows of `x` with a cell or more at a threshold or one step beside it, in both types."""
    converter = for_object(model)
    assert converter is not None
    rng = np.random.default_rng(2)
    out = x[rng.integers(len(x), size=count)].copy()
    for i, feature in enumerate(converter.original.describe(model).features):
        exact = np.array(feature.thresholds or (0.0,))
        near = exact.astype(np.float32)
        steps = [np.nextafter(exact, d) for d in (np.inf, -np.inf)]
        steps += [near, *(np.nextafter(near, np.float32(d)) for d in (np.inf, -np.inf))]
        cells = rng.choice(np.concatenate([exact, *steps, [0.0, -1e9, 1e30]]), count)
        out[:, i] = np.where(rng.random(count) < 0.7, cells, out[:, i])
    if missing:
        out[rng.random(out.shape) < 0.2] = np.nan
    return out.astype(real).astype(np.float64)


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("init", [None, "zero", DummyRegressor(strategy="constant", constant=5.0), LinearRegression()])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_gradient_boosting_regressor(loss: str, init: Any, real: str) -> None:
    x = data()[:, [0, 3]]
    model = GradientBoostingRegressor(loss=loss, init=init, n_estimators=15, random_state=0, subsample=0.7)
    model.fit(x, target(data()))
    probe = adversarial(model, x, real)
    if isinstance(init, LinearRegression):
        probe = probe[np.abs(probe).max(axis=1) < 1e6]
    limit = 1e-6 if isinstance(init, LinearRegression) else 0
    assert_same(model, probe, real, rtol=limit, atol=limit)
    assert_empty(model, x[:3], real)


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize(
    "init", [None, "zero", DummyClassifier(strategy="uniform"), DecisionTreeClassifier(max_depth=2)]
)
@pytest.mark.parametrize(("loss", "count"), [("log_loss", 2), ("log_loss", 4), ("exponential", 2)])
def test_gradient_boosting_classifier(loss: str, count: int, init: Any, real: str) -> None:
    x = data()
    model = GradientBoostingClassifier(loss=loss, init=init, n_estimators=12, random_state=0)
    model.fit(x, np.array(["a", "b", "ç", "d"])[classes(x, count)])
    assert_same(model, adversarial(model, x, real), real)
    assert_empty(model, x[:3], real)


def test_gradient_boosting_on_an_estimator_that_gives_probabilities() -> None:
    x = data()[:, [0, 3]]
    for count in (2, 3):
        model = GradientBoostingClassifier(init=LogisticRegression(), n_estimators=5, random_state=0)
        model.fit(x, classes(data(), count))
        assert_same(model, x.astype(np.float32).astype(float), "float64", rtol=1e-5, atol=1e-6)


def test_a_sum_of_zero_is_the_class_that_the_original_says() -> None:
    x = np.array([[0.0], [0.0], [1.0], [1.0]])
    y = np.array([0, 1, 0, 1])
    boosted = GradientBoostingClassifier(n_estimators=2).fit(x, y)
    histogram = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1).fit(x, y)
    assert boosted.predict(x).tolist() == [1] * 4 and histogram.predict(x).tolist() == [0] * 4
    for model in (boosted, histogram):
        assert_same(model, x)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "gamma", "poisson", "quantile"])
def test_histogram_regressor(loss: str, real: str, missing: bool) -> None:
    x = data(missing)
    options = {"quantile": 0.3} if loss == "quantile" else {}
    model = HistGradientBoostingRegressor(loss=loss, max_iter=15, random_state=0, max_leaf_nodes=9, **options)
    model.fit(x, np.exp(target(x) / 4))
    assert_same(model, adversarial(model, x, real, missing=missing), real)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("count", [2, 3, 10])
def test_histogram_classifier(count: int, real: str, missing: bool) -> None:
    x = data(missing)
    options = {"monotonic_cst": [1, 0, 0, 0]} if count == 2 else {"class_weight": "balanced"}
    model = HistGradientBoostingClassifier(max_iter=8, random_state=0, **options)
    model.fit(x, classes(x, count))
    assert_same(model, adversarial(model, x, real, missing=missing), real)
    assert_empty(model, x[:3], real)


@pytest.mark.parametrize("real", FORMS)
def test_histogram_splits_missing_from_the_rest(real: str) -> None:
    x = np.where(np.arange(200)[:, None] % 2, np.nan, 1.0) * [[1.0, 2.0]]
    model = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=1).fit(x, np.isnan(x[:, 0]) * 1.0)
    probe = np.array([[np.nan, 0.0], [0.0, np.nan], [1e300, 5.0], [-np.inf, np.inf]])
    assert_same(model, probe if real == "float64" else probe.clip(-1e30, 1e30), real)


def coloured(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    words = np.array(["rouge", "vert", "bleu", "Ω", "été", ""], object)[rng.integers(0, 6, rows)]
    words[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "size": rng.integers(0, 30, rows) / 10,
            "colour": pd.Categorical(words),
            "id": 2**40 + rng.integers(0, 50, rows),
            "town": pd.Categorical(rng.choice(["x", "y", "z", "w"], rows)),
        }
    )


def worth(frame: pd.DataFrame) -> Array:
    codes = frame["colour"].cat.codes.to_numpy() * 7 % 5
    ids = frame["id"].to_numpy() % 3
    return np.asarray(codes + frame["size"] * (ids - 1) + frame["town"].cat.codes.to_numpy() % 2)


@pytest.mark.parametrize("real", FORMS)
def test_histogram_on_categories_of_a_frame(real: str) -> None:
    frame = coloured()
    for model in (
        HistGradientBoostingRegressor(max_iter=20, random_state=0, min_samples_leaf=5),
        HistGradientBoostingClassifier(max_iter=10, random_state=0, categorical_features=["town", "colour", "id"]),
    ):
        y = worth(frame)
        model.fit(frame, y > np.median(y) if "Classifier" in type(model).__name__ else y)
        assert any(each.nodes["is_categorical"].any() for row in model._predictors for each in row)
        frame["size"] = frame["size"].astype(real).astype(float)
        assert_same(model, frame, real)


def test_histogram_on_unseen_and_missing_categories() -> None:
    frame = coloured()
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0, min_samples_leaf=5).fit(frame, worth(frame))
    strange = frame.head(5).copy()
    strange["colour"] = pd.Categorical(["never", "rouge", None, "Ω", ""])
    strange["town"] = pd.Categorical(["x", None, "nowhere", "y", "z"])
    want, got = answers(model, strange, "float64")
    np.testing.assert_allclose(got["prediction"], want["prediction"], rtol=1e-12)
    assert len(set(want["prediction"])) > 2


@pytest.mark.parametrize("real", FORMS)
def test_histogram_on_codes_in_a_matrix(real: str) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 9, 400), rng.normal(size=400), rng.choice([2, 40, 200, np.nan], 400)])
    y = (x[:, 0] % 3) * np.where(np.isnan(x[:, 2]), 3, x[:, 2] % 7) + x[:, 1]
    model = HistGradientBoostingRegressor(categorical_features=[2, 0], max_iter=20, random_state=0).fit(x, y)
    probe = np.column_stack(
        [
            rng.choice([0, 1, 5, 8, 9, 11.5, -1, -0.5, 4.7, np.nan, 300.0], 400),
            rng.normal(size=400),
            rng.choice([2, 40, 200, 41, 2.5, np.nan, 1e9], 400),
        ]
    ).astype(real)
    assert_same(model, probe.astype(float), real)


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("base", [None, DecisionTreeClassifier(max_depth=4), LogisticRegression()])
@pytest.mark.parametrize("count", [2, 4])
def test_ada_boost_classifier(count: int, base: Any, real: str) -> None:
    x = data()[:, [0, 3]]
    model = AdaBoostClassifier(base, n_estimators=12, random_state=0, learning_rate=0.7).fit(x, classes(data(), count))
    probe = x.astype(real).astype(float) if isinstance(base, LogisticRegression) else adversarial(model, x, real)
    assert_same(model, probe, real)
    assert_empty(model, x[:3], real)


@pytest.mark.parametrize("real", FORMS)
@pytest.mark.parametrize("base", [None, DecisionTreeRegressor(max_depth=6), LinearRegression()])
@pytest.mark.parametrize("loss", ["linear", "square", "exponential"])
def test_ada_boost_regressor(loss: str, base: Any, real: str) -> None:
    x = data()[:, [0, 3]]
    model = AdaBoostRegressor(base, n_estimators=12, loss=loss, random_state=0).fit(x, target(data()))
    probe = x.astype(real).astype(float) if isinstance(base, LinearRegression) else adversarial(model, x, real)
    assert_same(model, probe, real)
    assert_empty(model, x[:3], real)
