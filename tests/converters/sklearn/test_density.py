"""Kernel densities, robust ellipses and local outlier factors against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_iris, load_wine
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters.sklearn._describe import task_of
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

WINES = load_wine().data
X = (WINES - WINES.mean(axis=0)) / WINES.std(axis=0)
ROWS = np.vstack([X, X + 0.5, X * 30])
ONE_LEAF = len(X) + 1


@pytest.mark.parametrize("kernel", ["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
def test_kernels(kernel: str, weighted: bool) -> None:
    """Kernels that end give minus infinity far away; a weight of 0 is a row that is not there."""
    weights = np.arange(len(X)) % 5 if weighted else None
    model = KernelDensity(kernel=kernel, bandwidth=2.5, leaf_size=ONE_LEAF).fit(X, sample_weight=weights)
    assert_same(model, ROWS)
    assert_empty(model, X[:2])
    want, _ = answers(model, ROWS, "float64")
    assert np.isinf(want["score_samples"]).any() == (kernel not in ("gaussian", "exponential"))


@pytest.mark.parametrize("bandwidth", ["scott", "silverman", 1.5])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_widths_and_metrics(bandwidth: Any, metric: str) -> None:
    assert_same(KernelDensity(bandwidth=bandwidth, metric=metric, leaf_size=ONE_LEAF).fit(X), ROWS)


def test_the_task_of_a_density() -> None:
    model = make_pipeline(StandardScaler(), KernelDensity(bandwidth=2.0)).fit(WINES)
    assert task_of(model) == "density"
    assert_same(model, WINES)


def test_lost_digits_are_refused_by_name() -> None:
    """The bounds of the tree hide a density far below them; all rows in one leaf are summed exactly."""
    with pytest.raises(Unsupported, match=f"loses digits.*leaf_size={ONE_LEAF}"):
        answers(KernelDensity(bandwidth=0.05).fit(X), X, "float64")
    assert_same(KernelDensity(bandwidth=0.05, leaf_size=ONE_LEAF).fit(X), ROWS)


def test_approximations_are_refused() -> None:
    with pytest.raises(Unsupported, match="approximation"):
        answers(KernelDensity(rtol=1e-3).fit(X), X, "float64")


@pytest.mark.parametrize("options", [{}, {"contamination": 0.25, "store_precision": False}], ids=str)
def test_ellipse(options: dict[str, Any]) -> None:
    for x in (X, WINES, load_iris().data):
        model = EllipticEnvelope(random_state=0, **options).fit(x)
        assert_same(model, np.vstack([x, x * 3]))
        assert_empty(model, x[:2])


@pytest.mark.parametrize("options", [{}, {"n_neighbors": 5, "metric": "manhattan"}, {"contamination": 0.1}], ids=str)
def test_outlier_factor(options: dict[str, Any]) -> None:
    for x in (X, WINES):
        model = LocalOutlierFactor(novelty=True, **options).fit(x)
        assert_same(model, np.vstack([x, x + 0.5, x * 3]))
        assert_empty(model, x[:2])


def test_outlier_factor_among_duplicates() -> None:
    """More duplicates than neighbours: the density is endless but for a small constant."""
    x = np.vstack([np.repeat(X[:3], 30, axis=0), X])
    assert_same(LocalOutlierFactor(8, novelty=True).fit(x), X)


def test_outlier_factor_refuses() -> None:
    with pytest.raises(Unsupported, match=r"ties"):
        answers(LocalOutlierFactor(novelty=True).fit(np.round(X)), X, "float64")
    with pytest.raises(Unsupported):
        task_of(LocalOutlierFactor().fit(X))
