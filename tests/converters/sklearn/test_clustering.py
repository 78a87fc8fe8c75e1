"""Clusterers and pooled features against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import cluster
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

X, Y = load_iris(return_X_y=True)
WINE = load_wine().data
FAR = np.vstack([np.where(np.arange(4) == i, size, X[7]) for i in range(4) for size in (1e6, -1e6, 1e12, 1e30)])
ROWS = np.vstack([X, X * 7, -X, FAR])

CLUSTERERS = [
    cluster.KMeans(5, n_init=1, random_state=0),
    cluster.MiniBatchKMeans(5, n_init=1, random_state=0),
    cluster.BisectingKMeans(6, random_state=0),
    cluster.BisectingKMeans(6, bisecting_strategy="largest_cluster", random_state=1),
    cluster.BisectingKMeans(1),
    cluster.AffinityPropagation(random_state=0),
    cluster.MeanShift(bandwidth=0.8),
    cluster.Birch(threshold=0.3),
    cluster.Birch(n_clusters=None, threshold=0.3),
]


@pytest.mark.parametrize("made", CLUSTERERS, ids=str)
def test_labels(made: Any) -> None:
    fitted = made.fit(X)
    centers = getattr(fitted, "subcluster_centers_", getattr(fitted, "cluster_centers_", X))
    assert_same(fitted, np.vstack([ROWS, centers]))
    assert_empty(fitted, X)
    assert_same(fitted, X.astype(np.float32).astype(float), "float32")


@pytest.mark.parametrize("made", [*CLUSTERERS[:4], *CLUSTERERS[7:]], ids=str)
def test_distances_as_features(made: Any) -> None:
    model = make_pipeline(made, LogisticRegression(max_iter=5000)).fit(X, Y)
    assert_same(model, X)


def test_leaves_of_the_tree_are_not_the_nearest_centres() -> None:
    x = np.random.default_rng(0).normal(size=(400, 2))
    fitted = cluster.BisectingKMeans(8, random_state=0).fit(x)
    nearest = np.square(x[:, None] - fitted.cluster_centers_).sum(axis=2).argmin(axis=1)
    assert (nearest != fitted.predict(x)).any()
    assert_same(fitted, x)


@pytest.mark.filterwarnings("ignore:Affinity propagation did not converge", "ignore:This model does not have any")
def test_no_centre_at_all() -> None:
    fitted = cluster.AffinityPropagation(max_iter=1, random_state=0).fit(X)
    assert len(fitted.cluster_centers_) == 0
    assert_same(fitted, X)


@pytest.mark.parametrize("pool", [np.mean, np.sum, np.max, np.min, np.median, np.prod])
def test_pooled_features(pool: Any) -> None:
    fitted = cluster.FeatureAgglomeration(5, pooling_func=pool).fit(WINE)
    assert len(set(np.bincount(fitted.labels_))) > 1
    assert_same(fitted, np.vstack([WINE, -WINE, WINE * 1e12]))
    assert_empty(fitted, WINE)


@pytest.mark.parametrize("pool", [np.mean, np.sum, np.max, np.min, np.median, np.prod])
def test_pooled_integers(pool: Any) -> None:
    x = np.floor(X * 3).astype(np.int64)
    fitted = cluster.FeatureAgglomeration(2, pooling_func=pool).fit(x)
    large = np.array([0, -1, 2**31, 2**53 + 1, -(2**53) - 1])[:, None]
    rows = np.vstack([np.where(np.arange(4) == i, large, x[:5]) for i in range(4)])
    assert_same(fitted, np.vstack([x, rows]))
    assert_empty(fitted, x)


def test_another_pool_is_refused() -> None:
    fitted = cluster.FeatureAgglomeration(5, pooling_func=np.std).fit(WINE)
    with pytest.raises(Unsupported, match="pools by std"):
        answers(fitted, WINE, "float64")
