"""Imputers against scikit-learn: numbers, text, markers other than NaN, indicators, empty columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from palmerpenguins import load_penguins
from sklearn.datasets import load_iris
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

PENGUINS = load_penguins()
NUMBERS = PENGUINS.select_dtypes("number")
MATRIX = np.where(np.random.default_rng(0).random((150, 4)) < 0.2, np.nan, load_iris().data)
WITH_EMPTY = np.column_stack([MATRIX[:, :2], np.full(150, np.nan), MATRIX[:, 2:]])


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("add_indicator", [True, False])
@pytest.mark.parametrize("keep_empty_features", [True, False])
@pytest.mark.filterwarnings("ignore:Skipping features")
def test_numbers(strategy: str, add_indicator: bool, keep_empty_features: bool) -> None:
    imputer = SimpleImputer(strategy=strategy, add_indicator=add_indicator, keep_empty_features=keep_empty_features)
    for x in (MATRIX, WITH_EMPTY):
        fitted = imputer.fit(x)
        assert_same(fitted, x)
        assert_same(fitted, x.astype(np.float32).astype(float), "float32")
        assert_empty(fitted, x)
    assert_same(imputer.fit(NUMBERS), NUMBERS)
    assert_same(imputer, NUMBERS, "float32")


@pytest.mark.parametrize("marker", [-1, 0, 99.5])
@pytest.mark.parametrize("strategy", ["mean", "most_frequent"])
def test_other_markers(marker: float, strategy: str) -> None:
    x = np.where(np.isnan(MATRIX), marker, np.round(MATRIX))
    fitted = SimpleImputer(missing_values=marker, strategy=strategy, add_indicator=True).fit(x)
    assert_same(fitted, x)
    assert_same(fitted, x, "float32")


def test_integers_with_a_marker() -> None:
    frame = pd.DataFrame({"id": [2**53 + 1, -1, 2**53 + 1, 7], "n": [-1, 3, 3, 4]})
    fitted = SimpleImputer(missing_values=-1, strategy="most_frequent", add_indicator=True)
    encoded = make_pipeline(fitted, OneHotEncoder(handle_unknown="ignore")).fit(frame)
    more = pd.DataFrame({"id": [2**53, -1, 7], "n": [4, -1, 0]})
    assert_same(encoded, more)
    assert_same(encoded, more, "float32")


@pytest.mark.parametrize(
    "imputer",
    [
        SimpleImputer(strategy="most_frequent"),
        SimpleImputer(strategy="constant", fill_value="female"),
        SimpleImputer(strategy="constant", fill_value=""),
    ],
    ids=str,
)
def test_text(imputer: Any) -> None:
    frame = PENGUINS[["sex", "island"]].astype(object)
    fitted = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")).fit(frame)
    more = pd.DataFrame({"sex": ["", np.nan, "male", "é"], "island": ["Dream", "Biscoe", np.nan, ""]}, dtype=object)
    rows = pd.concat([frame, more], ignore_index=True)
    assert_same(fitted, rows)
    assert_empty(fitted, rows)


@pytest.mark.parametrize("marker", ["", "Dream"])
def test_text_with_a_marker(marker: str) -> None:
    frame = PENGUINS[["sex", "island"]].astype(object).dropna()
    frame.iloc[::9, 0] = ""
    imputer = SimpleImputer(strategy="constant", missing_values=marker)
    fitted = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")).fit(frame)
    assert_same(fitted, frame)


def test_text_where_none_is_missing() -> None:
    frame = PENGUINS[["sex", "island"]].astype(object)
    frame = frame.where(frame.notna(), None)
    imputer = SimpleImputer(missing_values=None, strategy="most_frequent")
    fitted = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")).fit(frame)
    assert_same(fitted, pd.concat([frame, pd.DataFrame({"sex": ["", None], "island": [None, ""]})], ignore_index=True))


@pytest.mark.parametrize("features", ["missing-only", "all"])
def test_indicator(features: str) -> None:
    fitted = MissingIndicator(features=features, error_on_new=False).fit(WITH_EMPTY[:, 1:])
    model = make_pipeline(fitted, LogisticRegression()).fit(WITH_EMPTY[:, 1:], load_iris().target)
    assert_same(model, WITH_EMPTY[:, 1:])
    assert_empty(model, WITH_EMPTY[:, 1:])


def test_the_indicators_reach_the_model() -> None:
    model = make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression(max_iter=1000))
    assert_same(model.fit(MATRIX, load_iris().target), MATRIX)
