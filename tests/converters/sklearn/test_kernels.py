"""Kernel projections, feature maps, centring and ridge regression against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_regression
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process import kernels as k
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.preprocessing import KernelCenterer

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

X, Y = load_iris(return_X_y=True)
ROWS = np.vstack([X, X * 1.7, np.zeros((1, 4)), np.where(np.arange(4) == 1, 1e6, X[7])])
NAMED: list[dict[str, Any]] = [
    {"kernel": "linear"},
    {"kernel": "poly", "gamma": 0.2, "degree": 2, "coef0": 0.5},
    {"kernel": "rbf", "gamma": 0.3},
    {"kernel": "rbf"},
    {"kernel": "sigmoid", "gamma": 0.01, "coef0": 0.5},
    {"kernel": "cosine"},
]
MORE: list[dict[str, Any]] = [
    {"kernel": "laplacian", "gamma": 0.3},
    {"kernel": "chi2", "gamma": 0.3},
    {"kernel": "additive_chi2"},
    {"kernel": 0.5 * k.RBF(2.0) + k.Matern(nu=1.5)},
]


@pytest.mark.parametrize("settings", [*NAMED, MORE[-1]], ids=str)
def test_kernel_pca(settings: dict[str, Any]) -> None:
    fitted = KernelPCA(2, **settings).fit(X)
    assert_same(fitted, ROWS, atol=1e-9)
    assert_empty(fitted, X)


def test_kernel_pca_with_all_that_is_not_zero() -> None:
    fitted = KernelPCA(kernel="rbf", remove_zero_eig=True).fit(X)
    assert fitted.eigenvalues_.min() < 1e-8
    assert_same(fitted, X)


def test_precomputed_kernels() -> None:
    assert_same(KernelPCA(2, kernel="precomputed").fit(X @ X.T), ROWS @ X.T, atol=1e-9)
    assert_same(KernelRidge(kernel="precomputed").fit(X @ X.T, Y), ROWS @ X.T)


@pytest.mark.parametrize("settings", [*NAMED, *MORE], ids=str)
def test_nystroem(settings: dict[str, Any]) -> None:
    fitted = Nystroem(**settings, n_components=3, random_state=0).fit(X)
    assert_same(fitted, ROWS, atol=1e-9)
    assert_empty(fitted, X)


@pytest.mark.filterwarnings("ignore:Singular matrix")
@pytest.mark.parametrize("settings", [*NAMED, *MORE], ids=str)
def test_ridge(settings: dict[str, Any]) -> None:
    fitted = KernelRidge(**settings).fit(X, Y)
    assert_same(fitted, ROWS, atol=1e-9)
    assert_empty(fitted, X)


def test_ridge_of_two_targets() -> None:
    fitted = KernelRidge(kernel="rbf", gamma=0.3).fit(X, np.column_stack([Y, X[:, 0]]))
    assert_same(fitted, ROWS)
    assert_empty(fitted, X)


def test_kernel_centerer() -> None:
    fitted = KernelCenterer().fit(X @ X.T)
    assert_same(fitted, ROWS @ X.T)
    assert_empty(fitted, X @ X.T)


def test_wide_rows() -> None:
    x, y = make_regression(40, 130, random_state=0)
    for kernel in ("rbf", "laplacian", "cosine"):
        assert_same(KernelRidge(kernel=kernel, gamma=0.01).fit(x, y), x)


def test_kernels_of_positive_numbers_say_where_they_begin_to_refuse() -> None:
    def bounds(kernel: Any) -> set[tuple[float, ...]]:
        model = KernelRidge(kernel=kernel, gamma=1.0).fit(X, Y)
        converter = for_object(model)
        assert converter is not None
        return {feature.bounds for feature in converter.original.describe(model).features}

    assert bounds("chi2") == bounds(k.RBF() + k.PairwiseKernel(metric="chi2")) == {(0.0,)}
    assert bounds("rbf") == {()}


def test_a_function_is_refused() -> None:
    fitted = KernelRidge(kernel=np.dot).fit(X, Y)
    with pytest.raises(Unsupported, match="the kernel dot has no converter"):
        answers(fitted, X, "float64")
