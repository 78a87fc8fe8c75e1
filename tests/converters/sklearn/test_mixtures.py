"""Gaussian mixtures against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

X = load_iris().data
FAR = np.vstack([np.where(np.arange(4) == i, size, X[7]) for i in range(4) for size in (1e6, -1e6, 1e12, 1e30)])
ROWS = np.vstack([X, X * 1.7, -X, FAR])


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(
    "made",
    [
        GaussianMixture(3, random_state=0),
        BayesianGaussianMixture(n_components=3, random_state=0),
        BayesianGaussianMixture(
            n_components=3, weight_concentration_prior_type="dirichlet_distribution", random_state=0
        ),
    ],
    ids=["plain", "process", "distribution"],
)
@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
def test_labels_and_shares(made: Any, kind: str) -> None:
    fitted = made.set_params(covariance_type=kind).fit(X)
    assert_same(fitted, ROWS)
    assert_empty(fitted, X)
    want, _ = answers(fitted, X, "float64")
    assert set(want) == {"label", "probabilities"}
    assert ((want["probabilities"] > 0.01) & (want["probabilities"] < 0.99)).any()


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_integers_are_cut_down_as_the_original_does(kind: str) -> None:
    x = np.floor(X * 3).astype(np.int64)
    fitted = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    large = np.array([0, -1, 2**31, 2**53 + 1, -(2**53) - 1])[:, None]
    rows = np.vstack([np.where(np.arange(4) == i, large, x[:5]) for i in range(4)])
    assert_same(fitted, np.vstack([x, rows]))
    if kind == "full":
        assert not np.allclose(fitted.predict_proba(x), fitted.predict_proba(x.astype(float)), atol=0.01)
