"""Perceptrons and a Boltzmann machine: every activation, both sides of a tie, saturated outputs, empty batches."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]


def fit(model: Any, x: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


def classes(count: int) -> tuple[Any, Any]:
    return make_classification(100, 5, n_informative=4, n_redundant=0, n_classes=count, random_state=2)


def check(model: Any, x: Any) -> None:
    assert_same(model, np.vstack([x, x * 1e4, np.eye(x.shape[1]) * -1e30]))
    assert_same(model, x[:1])
    assert_same(model, x, "float32", rtol=1e-4, atol=1e-4)
    assert_empty(model, x[:2])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("count", [2, 3])
def test_classifier(count: int, activation: str) -> None:
    x, y = classes(count)
    check(
        fit(MLPClassifier((7, 4), activation=activation, max_iter=30, random_state=0), x, np.array(list("éab"))[y]), x
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("targets", [1, 2])
def test_regressor(targets: int, activation: str) -> None:
    x, y = make_regression(80, 5, n_targets=targets, random_state=0)
    check(fit(MLPRegressor(hidden_layer_sizes=(6,), activation=activation, max_iter=30, random_state=0), x, y), x)


def test_poisson_regressor() -> None:
    x, y = make_regression(80, 5, random_state=0)
    model = fit(MLPRegressor(hidden_layer_sizes=(6,), loss="poisson", max_iter=30, random_state=0), x, np.exp(y / 200))
    assert_same(model, np.vstack([x, x * 3]))


def test_half_is_the_first_class() -> None:
    x, y = classes(2)
    model = fit(MLPClassifier((3,), max_iter=5, random_state=0), x, y)
    model.coefs_[-1][:], model.intercepts_[-1][:] = 0, 0
    assert (model.predict_proba(x) == 0.5).all()
    assert_same(model, x)


def test_one_class_only_is_refused() -> None:
    x, y = classes(2)
    model = fit(MLPClassifier((3,), max_iter=5, random_state=0), x, np.zeros_like(y))
    with pytest.raises(Unsupported, match="a single class"):
        answers(model, x, "float64")


def test_hidden_units_of_a_boltzmann_machine() -> None:
    x = np.random.default_rng(0).random((60, 9))
    check(BernoulliRBM(4, n_iter=3, learning_rate=0.3, random_state=0).fit(x), x)
