"""Feature selectors against scikit-learn, on matrices and on frames whose columns keep their types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import feature_selection as fs
from sklearn.datasets import load_wine
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, OneHotEncoder

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

X, Y = load_wine(return_X_y=True)
FRAME = load_wine(as_frame=True).data


@pytest.mark.parametrize(
    "selector",
    [
        fs.SelectKBest(k=5),
        fs.SelectPercentile(percentile=30),
        fs.SelectFpr(alpha=1e-20),
        fs.SelectFdr(alpha=1e-20),
        fs.SelectFwe(alpha=1e-20),
        fs.GenericUnivariateSelect(mode="k_best", param=4),
        fs.VarianceThreshold(1.0),
        fs.SelectFromModel(Ridge()),
        fs.RFE(Ridge(), n_features_to_select=4),
        fs.RFECV(Ridge(), cv=2, min_features_to_select=3),
        fs.SequentialFeatureSelector(Ridge(), n_features_to_select=2, cv=2),
    ],
    ids=lambda s: type(s).__name__,
)
def test_selectors(selector: Any) -> None:
    fitted = make_pipeline(selector.fit(X, Y), "passthrough")
    assert_same(fitted, X)
    assert_empty(fitted, X)
    selector.fit(FRAME, Y)
    assert_same(fitted, FRAME, "float32")


def test_thresholds_are_seen_through_a_selector() -> None:
    model = make_pipeline(fs.SelectKBest(k=2), Binarizer(threshold=2.5)).fit(X, Y)
    converter = for_object(model)
    assert converter is not None
    chosen = set(np.flatnonzero(model[0].get_support()))
    found = {i for i, f in enumerate(converter.original.describe(model).features) if f.thresholds == (2.5,)}
    assert found == chosen


def test_integers_stay_exact_through_a_selector() -> None:
    ids = np.array([2**53, 2**53 + 1, 2**53 + 1, 5])
    frame = pd.DataFrame({"id": ids, "none": [0, 0, 0, 0]})
    model = make_pipeline(fs.VarianceThreshold(), OneHotEncoder(handle_unknown="ignore")).fit(frame)
    assert_same(model, frame, "float32")


def test_selecting_nothing_is_refused() -> None:
    fitted = fs.SelectKBest(k=0).fit(X, Y)
    with pytest.raises(Unsupported, match="no column"):
        assert_same(fitted, X)
