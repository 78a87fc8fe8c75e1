"""Nearest neighbours: metrics, weights, data far from zero, many training rows, ties that have an order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import neighbors
from sklearn.datasets import make_classification

from converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

SETTINGS: list[dict[str, Any]] = [
    {},
    {"n_neighbors": 1},
    {"weights": "distance"},
    {"algorithm": "brute"},
    {"algorithm": "brute", "weights": "distance", "n_neighbors": 8},
    {"algorithm": "ball_tree"},
    {"p": 1},
    {"metric": "chebyshev", "weights": "distance"},
]


def data(rows: int, offset: float = 0.0) -> tuple[Any, Any, Any]:
    x, y = make_classification(rows, 6, n_informative=4, n_redundant=0, n_classes=3, random_state=7)
    spread = np.random.default_rng(0).normal(size=(300, 6)) * 2
    return x + offset, y, spread + offset


@pytest.mark.parametrize("rows", [120, 3000])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_classifier(settings: dict[str, Any], rows: int) -> None:
    x, y, spread = data(rows)
    model = neighbors.KNeighborsClassifier(**settings).fit(x, np.array(["é", "b", "c"])[y])
    assert_same(model, np.vstack([x[:200], spread]))
    assert_same(model, x[:1])
    assert_empty(model, x[:2])


@pytest.mark.parametrize("rows", [120, 3000])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_regressor(settings: dict[str, Any], rows: int) -> None:
    x, _, spread = data(rows)
    model = neighbors.KNeighborsRegressor(**settings).fit(x, x[:, 0] * 3 + x[:, 1])
    assert_same(model, np.vstack([x[:200], spread]))
    assert_same(model, x[:1])
    assert_empty(model, x[:2])


def test_several_targets() -> None:
    x, _, spread = data(120)
    assert_same(neighbors.KNeighborsRegressor(weights="distance").fit(x, x[:, :2]), spread)


@pytest.mark.parametrize("offset", [1e4, 1e7])
@pytest.mark.parametrize("rows", [120, 3000])
def test_far_from_zero(offset: float, rows: int) -> None:
    x, y, spread = data(rows, offset)
    model = neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(x, y)
    assert_same(model, spread)


def test_one_row_absurdly_far() -> None:
    """The quick choice of candidates would lose every digit here."""
    x, y, spread = data(3000)
    x[0] = 1e12
    assert_same(neighbors.KNeighborsClassifier(algorithm="kd_tree").fit(x, y), spread)


def test_votes_tie_goes_to_the_first_class() -> None:
    x = np.array([[0.0], [1.0], [2.5], [4.5]])
    model = neighbors.KNeighborsClassifier(2).fit(x, ["b", "a", "a", "b"])
    assert_same(model, np.array([[0.1], [0.4], [3.4], [3.6]]))


def test_rows_of_the_training_data_count_alone() -> None:
    x, y, _ = data(120)
    assert_same(neighbors.KNeighborsClassifier(4, weights="distance").fit(np.vstack([x, x[:9]]), [*y, *y[:9]]), x)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("priors", ["uniform", "empirical", [0.5, 0.3, 0.2]], ids=str)
@pytest.mark.parametrize("shrink", [None, 0.3])
def test_centroids(metric: str, priors: Any, shrink: float | None) -> None:
    x, y, spread = data(120)
    model = neighbors.NearestCentroid(metric=metric, priors=priors, shrink_threshold=shrink).fit(x, y)
    assert_same(model, np.vstack([x, spread]))
    assert_empty(model, x[:2])
    two = neighbors.NearestCentroid(metric=metric, priors="empirical").fit(x, y == 1)
    assert_same(two, spread)


@pytest.mark.parametrize(
    "settings",
    [{"weights": lambda away: away + 1}, {"metric": "cosine"}, {"p": 3}, {"metric": lambda a, b: abs(a - b).sum()}],
    ids=["weights", "cosine", "p", "function"],
)
def test_refused(settings: dict[str, Any]) -> None:
    x, y, _ = data(60)
    model = neighbors.KNeighborsClassifier(**settings).fit(x, y)
    with pytest.raises(Unsupported, match=r"function of its own|no converter"):
        answers(model, x, "float64")
