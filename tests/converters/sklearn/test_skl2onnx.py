"""Classes without a converter of ours: the standard converter's graph, copied in and held to the same tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import KernelPCA
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import Isomap
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters.sklearn import _steps
from mlpack_toolkit.converters.sklearn._skl2onnx import standard_step
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty

X, Y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def _without_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if scikit-learn had brought these classes only now."""
    for name in ("NeighborhoodComponentsAnalysis", "KNNImputer", "Isomap"):
        monkeypatch.delitem(_steps(), name)


def test_a_class_of_the_standard_converter() -> None:
    model = NeighborhoodComponentsAnalysis(2, max_iter=5, random_state=0)
    assert_same(model.fit(X[:60], Y[:60]), X[60:])


def test_a_class_that_the_standard_converter_has_in_float32_only() -> None:
    rng = np.random.default_rng(0)
    rows = np.where(rng.random((80, 4)) < 0.1, np.nan, rng.normal(size=(80, 4)))  # no ties, unlike the iris
    fitted = KNNImputer(n_neighbors=3).fit(rows)
    assert_same(fitted, rows, "float32")
    with pytest.raises(Unsupported, match="KNNImputer"):
        assert_same(fitted, rows, "float64")


def test_inside_a_pipeline_and_twice_in_one_graph() -> None:
    first = NeighborhoodComponentsAnalysis(3, max_iter=3, random_state=0)
    second = NeighborhoodComponentsAnalysis(2, max_iter=3, random_state=1)
    model = make_pipeline(StandardScaler(), first, second, LogisticRegression())
    assert_same(model.fit(X, Y), X)
    assert_empty(model, X)


def test_reasons_are_named() -> None:
    with pytest.raises(Unsupported, match="Isomap"):
        assert_same(Isomap().fit(X), X)


def test_no_step_where_the_standard_converter_has_none() -> None:
    assert standard_step(Isomap()) is None
    assert standard_step(KernelPCA()) is not None


def test_a_wrong_width_is_refused() -> None:
    fitted = NeighborhoodComponentsAnalysis(2, max_iter=2, random_state=0).fit(X, Y)
    fitted.transform = lambda rows: np.zeros((len(rows), 5))
    with pytest.raises(Unsupported, match="2 columns"):
        assert_same(fitted, X)
