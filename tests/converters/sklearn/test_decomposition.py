"""Projections and feature maps against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import cross_decomposition, decomposition, kernel_approximation, random_projection
from sklearn.datasets import load_wine
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

X, Y = load_wine(return_X_y=True)
ROWS = np.vstack([X, X * -3, np.zeros((1, 13))])


@pytest.mark.parametrize(
    "made",
    [
        decomposition.PCA(4),
        decomposition.PCA(0.999, whiten=True),
        decomposition.PCA(13, whiten=True),
        decomposition.IncrementalPCA(3, whiten=True),
        decomposition.TruncatedSVD(3),
        decomposition.FastICA(3, random_state=0),
        decomposition.FastICA(3, whiten=False, random_state=0),
        decomposition.FactorAnalysis(3),
        random_projection.GaussianRandomProjection(4, random_state=0),
        random_projection.SparseRandomProjection(4, random_state=0),
        kernel_approximation.RBFSampler(n_components=7, random_state=0),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:FastICA did not converge", "ignore:Starting from version")
def test_transformers(made: Any) -> None:
    scaled = StandardScaler().fit(X)
    fitted = make_pipeline(scaled, made.fit(scaled.transform(X)))
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)
    assert_same(fitted, X.astype(np.float32).astype(float), "float32", atol=2e-5)


@pytest.mark.parametrize("made", [cross_decomposition.PLSSVD(2), cross_decomposition.PLSSVD(1, scale=False)], ids=str)
def test_partial_least_squares_svd(made: Any) -> None:
    fitted = made.fit(X, np.column_stack([Y, X[:, 2] ** 2]))
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)


@pytest.mark.parametrize(
    "made",
    [
        decomposition.PCA(1, whiten=True),
        make_pipeline(decomposition.PCA(1), MinMaxScaler((-1, 1))),
        make_pipeline(decomposition.PCA(1), MaxAbsScaler()),
        FeatureUnion(
            [("a", decomposition.PCA(2)), ("b", decomposition.PCA(1))], transformer_weights={"a": 0.3, "b": 7}
        ),
    ],
    ids=["whiten", "minmax", "maxabs", "union"],
)
def test_a_number_beside_a_product_keeps_its_digits(made: Any) -> None:
    assert_same(made.fit(X), ROWS)
