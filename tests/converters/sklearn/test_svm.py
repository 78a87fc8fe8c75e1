"""Support vector machines: kernels, votes, ties, outliers, and libsvm's own probabilities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn import svm
from sklearn.datasets import make_classification, make_regression

from mlpack_toolkit.converters._graph.builder import GraphBuilder, Value
from mlpack_toolkit.converters._lookup import convert
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

KERNELS: list[dict[str, Any]] = [
    {"kernel": "linear"},
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": 7.0},
    {"kernel": "poly", "degree": 3, "coef0": 0.5},
    {"kernel": "poly", "degree": 2},
    {"kernel": "sigmoid", "coef0": -0.3},
]


def classes(count: int, offset: float = 0) -> tuple[Any, Any]:
    x, y = make_classification(160, 5, n_informative=4, n_redundant=0, n_classes=count, random_state=4)
    return x + offset, y


def fit(model: Any, *data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data)


def rows(x: Any) -> Any:
    rng = np.random.default_rng(0)
    return np.vstack([x, x.mean(0) + rng.normal(size=(200, x.shape[1])) * 3, np.eye(x.shape[1]) * 1e6])


@pytest.mark.parametrize("settings", KERNELS, ids=str)
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("kind", [svm.SVC, svm.NuSVC])
def test_classifier(kind: Any, count: int, settings: dict[str, Any]) -> None:
    x, y = classes(count)
    model = fit(kind(**settings, **({"nu": 0.2} if kind is svm.NuSVC else {})), x, np.array(["a", "é", "c", "d"])[y])
    assert_same(model, rows(x))
    assert_same(model, x[:1])
    assert_empty(model, x[:3])


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
@pytest.mark.parametrize("broken", [False, True])
def test_shapes_and_ties(shape: str, broken: bool) -> None:
    if broken and shape == "ovo":
        pytest.skip("the original refuses the two together")
    x, y = classes(4)
    model = fit(svm.SVC(decision_function_shape=shape, break_ties=broken), x, y)
    spread = np.random.default_rng(1).uniform(-4, 4, (3000, 5))
    assert_same(model, spread)


def test_decision_of_zero() -> None:
    """Two support vectors, mirrored: the decision is exactly 0 on the axis between them."""
    x = np.array([[-1.0, 0], [1.0, 0]])
    for kernel in ("linear", "rbf"):
        model = svm.SVC(kernel=kernel, gamma=1.0).fit(x, ["no", "yes"])
        on = np.array([[0.0, v] for v in range(-5, 6)])
        assert (model.decision_function(on) == 0).all()
        assert_same(model, on)
    three = svm.SVC(kernel="linear").fit(np.array([[-1.0, 0], [1.0, 0], [0, 50.0]]), [0, 1, 2])
    assert_same(three, np.array([[0.0, 0], [0, 1.0], [0, -1.0], [0, 25.0]]))


def test_far_from_the_origin_with_a_narrow_kernel() -> None:
    x, y = classes(2)
    x = x + 1e6
    x[0] = -1e7
    model = svm.SVC(gamma=50.0).fit(x, y)
    assert_same(model, np.vstack([x, x + 1e-3]))


@pytest.mark.parametrize("settings", KERNELS, ids=str)
@pytest.mark.parametrize("kind", [svm.SVR, svm.NuSVR])
def test_regressor(kind: Any, settings: dict[str, Any]) -> None:
    x, y = make_regression(100, 5, noise=1.0, random_state=1)
    model = fit(kind(**settings), x, y)
    assert_same(model, rows(x))
    assert_same(model, x, "float32", rtol=1e-4, atol=1e-3)
    assert_empty(model, x[:3])


@pytest.mark.parametrize("settings", KERNELS, ids=str)
def test_outliers(settings: dict[str, Any]) -> None:
    x, _ = classes(2)
    model = fit(svm.OneClassSVM(nu=0.3, **settings), x)
    assert_same(model, rows(x))
    assert_empty(model, x[:3])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_probabilities_are_those_of_the_iterations(count: int) -> None:
    x, y = make_classification(250, 6, n_informative=5, n_redundant=0, n_classes=count, random_state=4)
    model = fit(svm.SVC(probability=True, random_state=0), x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same(model, rows(x))
        assert_same(model, x[:1])
        assert_empty(model, x[:3])
        with pytest.raises(Unsupported, match="float64"):
            answers(model, x, "float32")


def test_fitted_on_a_sparse_matrix() -> None:
    x, y = classes(3)
    assert_same(svm.SVC().fit(sparse.csr_matrix(x), y), rows(x))


def test_precomputed_kernel() -> None:
    x, y = classes(2)
    model = svm.SVC(kernel="precomputed").fit(x @ x.T, y)
    assert_same(model, rows(x) @ x.T)


def test_own_kernel_is_refused() -> None:
    x, y = classes(2)
    model = svm.SVC(kernel=lambda a, b: a @ b.T).fit(x, y)
    with pytest.raises(Unsupported, match="kernel of its own"):
        convert(model, (Value("X", "float64", 5),), GraphBuilder("float64"))
