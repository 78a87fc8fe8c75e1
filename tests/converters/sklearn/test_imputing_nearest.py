"""The imputer of nearest rows against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

WINES, KINDS = load_wine(return_X_y=True)
X = (WINES - WINES.mean(axis=0)) / WINES.std(axis=0) + np.random.default_rng(1).normal(0, 1e-3, WINES.shape)
"""Without two rows that agree in a column: one that lacks all others would be as near to either."""
HOLES = np.random.default_rng(0).random(X.shape) < 0.15
HOLED = np.where(HOLES, np.nan, X)
WITH_EMPTY = np.column_stack([HOLED[:, :2], np.full(len(X), np.nan), HOLED[:, 2:]])
ROWS = np.vstack([HOLED, np.where(HOLES[::-1], np.nan, X + 0.3), np.full((1, 13), np.nan)])


@pytest.mark.parametrize(
    "options",
    [{}, {"n_neighbors": 1}, {"n_neighbors": 500}, {"add_indicator": True}, {"keep_empty_features": True}],
    ids=str,
)
def test_fills(options: dict[str, Any]) -> None:
    """One row has no cell at all: it gets the means."""
    model = KNNImputer(**options).fit(HOLED)
    assert_same(model, ROWS)
    assert_empty(model, HOLED[:2])
    assert_same(model, X)
    model = KNNImputer(**options).fit(WITH_EMPTY)
    assert_same(model, WITH_EMPTY)
    assert_same(model, np.column_stack([X[:, :2], X[:, 0], X[:, 2:]]))


def test_in_float32() -> None:
    single = HOLED.astype(np.float32).astype(float)
    assert_same(KNNImputer().fit(single), single, "float32")


def test_rows_that_share_no_column() -> None:
    x = np.array([[1.0, np.nan, 2.0], [2.5, np.nan, 3.0], [np.nan, 5.0, np.nan], [np.nan, 7.5, np.nan]])
    rows = np.vstack([x, [[3.0, np.nan, np.nan], [np.nan, 6.0, np.nan]]])
    assert_same(KNNImputer(n_neighbors=1).fit(x), rows)
    assert_same(KNNImputer(n_neighbors=3).fit(x), rows)


def test_another_marker() -> None:
    marked = np.where(HOLES, -99.0, X)
    assert_same(KNNImputer(missing_values=-99, add_indicator=True).fit(marked), marked)


def test_named_columns_and_a_model_behind() -> None:
    frame = pd.DataFrame(HOLED, columns=[f"c{i}" for i in range(13)])
    assert_same(make_pipeline(KNNImputer(), LogisticRegression()).fit(frame, KINDS), frame)


def test_refused_by_name() -> None:
    iris = np.where(np.random.default_rng(0).random((150, 4)) < 0.2, np.nan, load_iris().data)
    with pytest.raises(Unsupported, match=r"\(ties\): in \d+ of \d+ incomplete training rows"):
        answers(KNNImputer().fit(iris), iris, "float64")
    with pytest.raises(Unsupported, match="weights='uniform'"):
        answers(KNNImputer(weights="distance").fit(HOLED), HOLED, "float64")
    with pytest.raises(Unsupported, match="a function"):
        answers(KNNImputer(weights=lambda away: away).fit(HOLED), HOLED, "float64")
