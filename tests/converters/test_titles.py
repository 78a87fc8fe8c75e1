"""Titles: all steps of a pipeline, however nested, in one bounded line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from mlpack_toolkit.converters._steps.titles import LONGEST, title_of

FRAME = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) % 7, "c": ["x", "y", "z"] * 10, "d": [1.0, 2.0] * 15})
LABEL = np.arange(30) % 2
COLUMNS = ColumnTransformer(
    [
        ("n", StandardScaler(), ["a"]),
        ("m", StandardScaler(), ["b"]),
        ("t", OneHotEncoder(), ["c"]),
        ("x", "drop", ["d"]),
    ]
)
TITLES = [
    (LogisticRegression(), "LogisticRegression"),
    (RandomForestClassifier(3), "RandomForestClassifier"),
    (make_pipeline(StandardScaler(), LogisticRegression()), "Pipeline(StandardScaler, LogisticRegression)"),
    (make_pipeline("passthrough", Ridge()), "Pipeline(passthrough, Ridge)"),
    (make_pipeline(make_union(StandardScaler(), MinMaxScaler()), Ridge()), None),
    (VotingClassifier([("a", LogisticRegression()), ("b", RandomForestClassifier(3))]), None),
    (StackingClassifier([("a", RandomForestClassifier(3))], LogisticRegression()), None),
    (CalibratedClassifierCV(LogisticRegression()), "CalibratedClassifierCV(LogisticRegression)"),
    (GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2), "GridSearchCV(Ridge)"),
    (TransformedTargetRegressor(Ridge()), "TransformedTargetRegressor(Ridge)"),
]
NESTED = {
    4: "Pipeline(FeatureUnion(StandardScaler, MinMaxScaler), Ridge)",
    5: "VotingClassifier(LogisticRegression, RandomForestClassifier)",
    6: "StackingClassifier(RandomForestClassifier, LogisticRegression)",
}


@pytest.mark.parametrize("i", range(len(TITLES)), ids=lambda i: type(TITLES[i][0]).__name__)
def test_titles(i: int) -> None:
    model, title = TITLES[i]
    fitted: Any = model.fit(FRAME[["a", "b"]], LABEL)
    assert title_of(fitted) == (title or NESTED[i])


def test_the_parts_of_a_column_transformer_once_each_and_none_that_drops() -> None:
    model = make_pipeline(COLUMNS, LogisticRegression()).fit(FRAME, LABEL)
    assert title_of(model) == "Pipeline(ColumnTransformer(StandardScaler, OneHotEncoder), LogisticRegression)"


def test_a_long_one_is_cut_from_within() -> None:
    many = [StandardScaler(), MinMaxScaler(), OneHotEncoder(), COLUMNS]
    inner: Any = make_union(*many)
    for _ in range(4):
        inner = FeatureUnion([("a", make_pipeline(inner, RandomForestClassifier())), ("b", make_union(inner, *many))])
    title = title_of(make_pipeline(inner, LogisticRegression()))
    assert (
        len(title) <= LONGEST and title.startswith("Pipeline(FeatureUnion(") and title.endswith(", LogisticRegression)")
    )
    named = type("X" * 500, (), {})()
    assert len(title_of(named)) == LONGEST and title_of(named).endswith("…")
