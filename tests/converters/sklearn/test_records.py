"""Dictionaries to numbers: the rows of a table are the records, a missing cell is a key left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

TABLE = pd.DataFrame(
    {
        "age": [1.5, np.nan, -0.0, 1e30, 7.25] * 4,
        "city": pd.Series(["Oslo", "Paris", None, "Rome=x", "ΟΔΟΣ"] * 4, dtype=object),
        "flag": [True, False] * 10,
        "n": range(20),
    }
)
RECORDS: list[dict[str, Any]] = [
    {key: cell for key, cell in row.items() if not pd.isna(cell)} for row in TABLE.to_dict("records")
]
LABELS = [0, 1, 1, 0, 1] * 4


@pytest.mark.parametrize("options", [{}, {"sparse": False, "sort": False}], ids=str)
def test_numbers_and_texts(options: dict[str, Any]) -> None:
    fitted = DictVectorizer(**options).fit(RECORDS)
    assert_same(fitted, TABLE.iloc[::-1])
    assert_same(fitted, TABLE.assign(city="Bergen", n=2**40))
    assert_empty(fitted, TABLE)


def test_what_the_records_are() -> None:
    want, _ = answers(DictVectorizer().fit(RECORDS), TABLE, "float64")
    np.testing.assert_array_equal(want["transformed"], DictVectorizer().fit_transform(RECORDS).toarray())


def test_single_precision() -> None:
    assert_same(DictVectorizer(dtype=np.float32).fit(RECORDS), TABLE, "float32")


def test_an_empty_text_is_no_missing_one() -> None:
    table = pd.DataFrame({"city": pd.Series(["", None, "Oslo"], dtype=object)})
    assert_same(DictVectorizer().fit([{"city": ""}, {"city": "Oslo"}]), table)


def test_models_behind_records() -> None:
    tree = make_pipeline(DictVectorizer(), DecisionTreeClassifier(random_state=0)).fit(RECORDS, LABELS)
    assert_same(tree, TABLE)
    converter = for_object(tree)
    assert converter is not None
    features = {f.name: f for f in converter.original.describe(tree).features}
    assert any(f.thresholds for f in features.values())
    assert features["city"].values == ("Oslo", "Paris", "Rome=x", "ΟΔΟΣ")
    small = [{**r, "age": min(r.get("age", 0), 9)} for r in RECORDS]
    linear = make_pipeline(DictVectorizer(), LogisticRegression()).fit(small, LABELS)
    assert_same(linear, TABLE.assign(age=TABLE["age"].clip(upper=9)))


def test_columns_of_another_kind_give_nothing() -> None:
    fitted = DictVectorizer().fit([{"a": 1, "b": "x"}])
    assert_same(fitted, pd.DataFrame({"a": pd.Series(["1", "2"], dtype=object), "b": ["x", "y"]}))
    with pytest.raises(Unsupported, match="no column"):
        assert_same(fitted, pd.DataFrame({"a": pd.Series(["1"], dtype=object), "b": [1]}))


def test_what_is_refused() -> None:
    with pytest.raises(Unsupported, match="dtype"):
        assert_same(DictVectorizer(dtype=np.int64).fit([{"a": 1}]), pd.DataFrame({"a": [1]}))
    with pytest.raises(Unsupported, match="key"):
        assert_same(DictVectorizer().fit([{3: 1}]), pd.DataFrame({"3": [1]}))
    with pytest.raises(Unsupported, match="FeatureHasher"):
        assert_same(FeatureHasher(n_features=8), TABLE)
