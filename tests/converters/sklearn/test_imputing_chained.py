"""The imputer that goes round the columns against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (without it there is no IterativeImputer)
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

WINES, KINDS = load_wine(return_X_y=True)
X = ((WINES - WINES.mean(axis=0)) / WINES.std(axis=0))[:, :6]
HOLES = np.random.default_rng(0).random(X.shape) < 0.2
HOLES[:, 4] = False
HOLED = np.where(HOLES, np.nan, X)
ROWS = np.vstack([HOLED, np.where(HOLES[::-1, ::-1], np.nan, X + 0.3), np.full((1, 6), np.nan)])

pytestmark = pytest.mark.filterwarnings("ignore")  # it warns while it has not converged


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"add_indicator": True, "imputation_order": "roman"},
        {"initial_strategy": "median", "imputation_order": "random"},
        {"min_value": -1, "max_value": [1, 2, 1, 2, 1, 2]},
        {"n_nearest_features": 3},
        {"skip_complete": True},
        {"estimator": Ridge()},
        {"estimator": DecisionTreeRegressor(max_depth=4, random_state=0)},
        {"max_iter": 0},
    ],
    ids=lambda options: ",".join(options),
)
def test_rounds(options: dict[str, Any]) -> None:
    model = IterativeImputer(**{"random_state": 0, "max_iter": 3, **options}).fit(HOLED)
    assert_same(model, ROWS)
    assert_empty(model, HOLED[:2])
    assert_same(model, X)


@pytest.mark.parametrize("keep", [False, True])
def test_a_column_without_a_value(keep: bool) -> None:
    empty = np.column_stack([HOLED[:, :2], np.full(len(X), np.nan), HOLED[:, 2:]])
    model = IterativeImputer(random_state=0, max_iter=2, keep_empty_features=keep, add_indicator=True).fit(empty)
    assert_same(model, empty)
    assert_same(model, np.column_stack([HOLED[:, :2], X[:, 0], HOLED[:, 2:]]))


def test_another_marker_and_named_columns() -> None:
    marked = np.where(HOLES, -99.0, X)
    assert_same(IterativeImputer(missing_values=-99, random_state=0, max_iter=2).fit(marked), marked)
    frame = pd.DataFrame(HOLED, columns=list("abcdef"))
    model = make_pipeline(IterativeImputer(random_state=0, max_iter=2), LogisticRegression())
    assert_same(model.fit(frame, KINDS), frame)


def test_draws_are_refused() -> None:
    model = IterativeImputer(sample_posterior=True, random_state=0, max_iter=2).fit(HOLED)
    with pytest.raises(Unsupported, match="at random"):
        answers(model, HOLED, "float64")
