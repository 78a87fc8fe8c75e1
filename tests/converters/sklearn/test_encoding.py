"""Encoders against scikit-learn: every way to drop, to group, to be unknown and to be missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

PENGUINS = load_penguins()
TEXT = PENGUINS[["species", "island", "sex"]].astype(object)
FULL = TEXT.dropna()
STRANGE = pd.DataFrame(
    {
        "species": ["Adelie", "adelie", "", "Gentoo ", "Ädelie", "日本"],
        "island": ["Dream", "dream", "Torgersen", "", "Biscoe", "Ωmega"],
        "sex": ["male", np.nan, "female", "x", "", "MALE"],
    },
    dtype=object,
)


def both(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, more], ignore_index=True)


@pytest.mark.parametrize("drop", [None, "first", "if_binary", ["Chinstrap", "Dream", "male"]])
@pytest.mark.parametrize("unknown", ["error", "ignore", "infrequent_if_exist", "warn"])
@pytest.mark.parametrize("groups", [{}, {"min_frequency": 100}, {"max_categories": 2}, {"min_frequency": 0.9}])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_hot(drop: Any, unknown: str, groups: dict[str, Any]) -> None:
    encoder = OneHotEncoder(drop=drop, handle_unknown=unknown, **groups)
    try:
        fitted = encoder.fit(FULL)
    except (ValueError, AttributeError):
        pytest.skip("scikit-learn refuses to drop an infrequent category")
    rows = FULL if unknown == "error" else both(FULL, STRANGE)
    if not sum(fitted._n_features_outs):
        with pytest.raises(Unsupported):
            assert_same(fitted, rows)
        return
    assert_same(fitted, rows, "float32")
    assert_same(fitted, rows[:1])
    assert_empty(fitted, rows)


@pytest.mark.parametrize("drop", [None, "first", "if_binary", ["Chinstrap", "Dream", np.nan]])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_hot_knows_a_missing_cell(drop: Any) -> None:
    fitted = OneHotEncoder(drop=drop, handle_unknown="ignore").fit(TEXT)
    assert_same(fitted, both(TEXT, STRANGE))


def test_one_hot_knows_none() -> None:
    frame = TEXT.where(TEXT.notna(), None)
    fitted = OneHotEncoder(handle_unknown="ignore").fit(frame)
    assert_same(fitted, frame)


def test_categories_given_by_hand() -> None:
    categories = [["Gentoo", "Zebra", ""], ["Dream", "Ωmega"], ["x", "male"]]
    fitted = OneHotEncoder(categories=categories, handle_unknown="ignore").fit(FULL)
    assert_same(fitted, both(FULL, STRANGE))


IDS = np.array([2**24, 2**24 + 1, 2**53, 2**53 + 1, -5, 0], np.int64)


@pytest.mark.parametrize("encoder", [OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder()], ids=str)
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_big_ids_stay_apart(encoder: Any, real: str) -> None:
    frame = pd.DataFrame({"id": IDS, "flag": [True, False] * 3, "code": [1.5, 2.0, -0.0, np.nan, 7e30, 1.5]})
    frame["code"] = frame["code"].astype(np.float32).astype(float)
    assert_same(encoder.fit(frame), frame, real)
    if isinstance(encoder, OneHotEncoder):
        assert_same(encoder, frame.assign(id=IDS + 1, code=frame["code"] + 0.5), real)


def test_a_matrix_of_numbers() -> None:
    matrix = np.array([[1.0, 0.1], [2.0, 0.2], [np.nan, 0.3], [3.0, 0.1]])
    fitted = OneHotEncoder(handle_unknown="ignore").fit(matrix)
    rows = np.vstack([matrix, np.nextafter(matrix, 9), [[1e300, np.nan]]])
    assert_same(fitted, rows)
    with pytest.raises(Unsupported, match="float32"):
        assert_same(fitted, rows, "float32")


@pytest.mark.parametrize("unknown", [-1, np.nan, 99])
@pytest.mark.parametrize("missing", [np.nan, -2, 50])
@pytest.mark.parametrize("groups", [{}, {"min_frequency": 100}, {"max_categories": 2}])
def test_ordinal(unknown: float, missing: float, groups: dict[str, Any]) -> None:
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=unknown, encoded_missing_value=missing, **groups
    )
    fitted = encoder.fit(TEXT)
    assert_same(fitted, both(TEXT, STRANGE))
    assert_same(fitted, both(TEXT, STRANGE), "float32")
    assert_empty(fitted, TEXT)


@pytest.mark.parametrize("kind", ["binary", "continuous", "multiclass"])
def test_target(kind: str) -> None:
    rows = PENGUINS.dropna()
    targets = {"binary": rows["sex"], "continuous": rows["body_mass_g"], "multiclass": rows["species"]}
    frame = rows[["island", "year"]].assign(island=rows["island"].astype(object))
    fitted = TargetEncoder(target_type=kind).fit(frame, targets[kind])
    assert_same(fitted, both(frame, pd.DataFrame({"island": ["", "Nowhere"], "year": [1, 2008]})))
    assert_empty(fitted, frame)


def test_columns_of_every_kind_in_one_pipeline() -> None:
    frame = PENGUINS.drop(columns="species")
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    words = Pipeline([("fill", SimpleImputer(strategy="most_frequent")), ("code", OneHotEncoder())])
    made = ColumnTransformer(
        [("n", numbers, make_column_selector(dtype_include="number")), ("w", words, ["island", "sex"])]
    )
    fitted = made.fit(frame)
    assert_same(fitted, frame)
    assert_same(fitted, frame, "float32", atol=1e-4)
    assert_empty(fitted, frame)


def test_mixed_types_in_one_column_are_refused() -> None:
    frame = pd.DataFrame({"a": np.array([True, False, None, True], object)})
    fitted = OneHotEncoder().fit(frame)
    text = pd.DataFrame({"a": np.array(["True", "x"], object)})
    with pytest.raises((Unsupported, ValueError)):
        assert_same(fitted, text)
