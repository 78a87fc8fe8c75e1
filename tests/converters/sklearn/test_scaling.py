"""Scalers, powers, quantiles, bins and polynomials against scikit-learn, at thresholds and beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import preprocessing as pre
from sklearn.datasets import load_iris, load_wine

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

X = load_wine().data
IRIS = load_iris().data
HOLES = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
OUTSIDE = np.vstack([X, X.min(0) - 100, X.max(0) * 1e3, -X[:5]])


def around(values: Any) -> Any:
    """Rows at the values and at their neighbours, in float64 and in float32."""
    near = values.astype(np.float32)
    single = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return np.vstack([values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf), *single])


SCALERS = [
    pre.StandardScaler(),
    pre.StandardScaler(with_mean=False),
    pre.StandardScaler(with_std=False),
    pre.StandardScaler(with_mean=False, with_std=False),
    pre.MinMaxScaler(),
    pre.MinMaxScaler((-3, 5), clip=True),
    pre.MaxAbsScaler(),
    pre.RobustScaler(),
    pre.RobustScaler(with_centering=False, unit_variance=True),
    pre.RobustScaler(with_scaling=False),
]


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_scalers(scaler: Any, real: str) -> None:
    fitted = scaler.fit(HOLES)
    assert_same(fitted, np.vstack([OUTSIDE, HOLES]), real)
    assert_same(fitted, X[:1], real)
    assert_same(fitted, HOLES[:40], real)


@pytest.mark.parametrize("scaler", [*SCALERS, pre.PowerTransformer(), pre.QuantileTransformer(n_quantiles=50)], ids=str)
def test_no_rows_in_no_rows_out(scaler: Any) -> None:
    assert_empty(scaler.fit(X), X)


def test_seconds_since_1970_keep_their_digits() -> None:
    seconds = 1.7e9 + np.arange(500.0)[:, None]
    assert_same(pre.StandardScaler().fit(seconds), seconds)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_normalizer(norm: str, real: str) -> None:
    rows = np.vstack([X, np.zeros(13), np.full(13, -3.0), np.full(13, 1e-20), np.full(13, 2e-15)])
    assert_same(pre.Normalizer(norm=norm).fit(X), rows, real)


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_binarizer_at_its_threshold(real: str) -> None:
    values = np.full((1, 13), 0.1)
    rows = around(values) if real == "float64" else around(values.astype(np.float32).astype(float))[3:]
    assert_same(pre.Binarizer(threshold=0.1).fit(X), np.vstack([X, rows]).astype(real).astype(float), real)


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("standardize", [True, False])
def test_power(method: str, standardize: bool) -> None:
    fitted = pre.PowerTransformer(method=method, standardize=standardize).fit(X)
    rows = OUTSIDE if method == "yeo-johnson" else np.abs(OUTSIDE) + 1e-6
    assert_same(fitted, np.vstack([rows, HOLES[:20]]))


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_power_in_float32(method: str) -> None:
    fitted = pre.PowerTransformer(method=method).fit(IRIS)
    assert_same(fitted, IRIS.astype(np.float32).astype(float), "float32", atol=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.5, 1e-12])
def test_power_at_degenerate_exponents(exponent: float) -> None:
    fitted = pre.PowerTransformer(standardize=False).fit(X[:, :2])
    fitted.lambdas_ = np.array([exponent, 0.5])
    small = np.array([[1e-12, -1e-12], [-1e-9, 1e-9], [0.0, -0.0], [3e5, -3e5], [-7.0, 7.0], [np.nan, 1.0]])
    assert_same(fitted, np.vstack([small, OUTSIDE[:, :2]]), atol=1e-14)


@pytest.mark.parametrize("shape", ["uniform", "normal"])
@pytest.mark.parametrize("n_quantiles", [7, 33, 150])
def test_quantiles(shape: str, n_quantiles: int) -> None:
    table = np.hstack([HOLES, np.round(HOLES[:, :2]), np.ones((len(X), 1))])
    fitted = pre.QuantileTransformer(n_quantiles=n_quantiles, output_distribution=shape).fit(table)
    rows = np.vstack(
        [table, around(fitted.quantiles_), fitted.quantiles_ + 1e-7, fitted.quantiles_ - 1e-7, table - 1e9]
    )
    assert_same(fitted, rows)


def test_normal_quantiles_are_refused_in_float32() -> None:
    with pytest.raises(Unsupported, match="output_distribution"):
        assert_same(pre.QuantileTransformer(n_quantiles=9, output_distribution="normal").fit(X), X, "float32")
    assert_same(pre.QuantileTransformer(n_quantiles=9).fit(IRIS), IRIS.astype(np.float32).astype(float), "float32")


@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("dtype", [None, np.float32])
def test_bins(encode: str, strategy: str, dtype: Any) -> None:
    kinds = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
    bins = pre.KBinsDiscretizer([3, 5, 2, 9], encode=encode, strategy=strategy, dtype=dtype, subsample=None, **kinds)
    fitted = bins.fit(IRIS)
    edges = np.array([np.resize(e, 10) for e in fitted.bin_edges_]).T
    assert_same(fitted, np.vstack([IRIS, IRIS * 9, -IRIS, around(edges)]))
    assert_same(fitted, np.vstack([IRIS, around(edges)]).astype(np.float32).astype(float), "float32")


@pytest.mark.parametrize("degree", [1, 2, 3, (0, 0), (2, 2), (0, 3), (2, 4)])
@pytest.mark.parametrize("interaction_only", [True, False])
@pytest.mark.parametrize("include_bias", [True, False])
def test_polynomials(degree: Any, interaction_only: bool, include_bias: bool) -> None:
    if degree == (0, 0) and not include_bias:
        pytest.skip("scikit-learn refuses it")
    made = pre.PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=include_bias)
    assert_same(made.fit(IRIS), np.vstack([IRIS, -IRIS * 1e3]))


@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("include_bias", [True, False])
def test_splines(extrapolation: str, degree: int, include_bias: bool) -> None:
    made = pre.SplineTransformer(
        n_knots=6, degree=degree, knots="quantile", extrapolation=extrapolation, include_bias=include_bias
    )
    fitted = made.fit(X[:, :4])
    knots = np.array([s.t for s in fitted.bsplines_]).T
    assert_same(fitted, np.vstack([OUTSIDE[:, :4], around(knots)]), atol=1e-9)
