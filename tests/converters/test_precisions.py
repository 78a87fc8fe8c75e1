"""Parts of different precision in one model, and how near to the tolerance the cheaper form may come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression

from benchmarks._estimators import fitted
from mlpack_toolkit.packager.equivalence.prove import ROOM
from tests.converters.proving import held
from tests.converters.test_sparse import lgb, xgb

X = np.random.default_rng(3).normal(size=(300, 5)) * 1e3
LABEL = (X[:, 0] + X[:, 1] * X[:, 2] / 1e3 > 0).astype(int)


def cat() -> Any:
    import catboost

    return catboost.CatBoostClassifier(iterations=8, verbose=False, thread_count=1, allow_writing_files=False)


@pytest.mark.parametrize(
    "model",
    [
        VotingClassifier([("x", xgb()), ("l", lgb())], voting="soft"),
        VotingClassifier([("x", xgb()), ("l", lgb()), ("c", cat())], voting="soft"),
        StackingClassifier([("x", xgb()), ("l", lgb())], LogisticRegression()),
        StackingClassifier([("x", xgb()), ("l", lgb())], lgb(), passthrough=True),
    ],
    ids=["vote", "vote of three", "stack", "stack with the columns"],
)
def test_each_part_in_its_own_precision(model: Any) -> None:
    model.fit(X, LABEL)
    found = held(model, X)
    assert found.proven.precision == "float64"
    assert found.proven.report.tolerances["probabilities"].rtol == 1e-5, "xgboost's share is known to float32"
    rows = np.random.default_rng(4).normal(size=(500, 5)) * 1e3
    np.testing.assert_array_equal(found.to_matrix(rows)["label"], model.predict(rows))


def test_a_part_of_float32_among_regressors() -> None:
    import xgboost

    parts = [("x", xgboost.XGBRegressor(n_estimators=8)), ("h", HistGradientBoostingRegressor(max_iter=8))]
    model = VotingRegressor(parts).fit(X, X[:, 0] + X[:, 1])
    np.testing.assert_allclose(held(model, X).to_matrix(X)["prediction"], model.predict(X), rtol=1e-5, atol=1e-2)


def test_double_alone_is_held_to_double() -> None:
    model = VotingClassifier([("a", lgb()), ("b", lgb(num_leaves=7))], voting="soft").fit(X, LABEL)
    assert held(model, X).proven.report.tolerances["probabilities"].rtol == 1e-9


@pytest.mark.parametrize("name", ["NeighborhoodComponentsAnalysis", "FastICA", "GaussianProcessRegressor"])
def test_float32_near_its_tolerance_is_not_taken(name: str) -> None:
    model, example = fitted(name)
    proven = held(model, example).proven
    assert proven.precision == "float64"
    assert "of the tolerance used" in proven.report.tried["float32"] or "differ" in proven.report.tried["float32"]


def test_float32_with_room_is_taken() -> None:
    model, example = fitted("LogisticRegression")
    proven = held(model, example).proven
    assert proven.precision == "float32" and proven.report.tolerance_used <= ROOM
    assert proven.report.to_json()["tolerance_used"] == proven.report.tolerance_used
