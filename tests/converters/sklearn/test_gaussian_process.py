"""Gaussian processes against scikit-learn: every kernel, one target and several, two classes and more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special
from sklearn.datasets import load_diabetes, load_iris
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process import kernels as k
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters._graph.erf import erf
from mlpack_toolkit.converters.spec import TensorSpec, Unsupported
from tests.artifacts import saved
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

PATIENTS, TARGET = load_diabetes(return_X_y=True)
PATIENTS, TARGET = PATIENTS[:60, :5] * 20, TARGET[:60]
IRIS, SPECIES = load_iris(return_X_y=True)
IRIS, SPECIES = IRIS[::3], SPECIES[::3]

KERNELS = [
    k.RBF(0.7),
    k.RBF([0.5, 1, 2, 3, 4]),
    k.Matern(nu=0.5),
    k.Matern(nu=1.5),
    k.Matern([0.5, 1, 2, 3, 4], nu=2.5),
    k.Matern(nu=3.5),
    k.Matern(nu=np.inf),
    k.RationalQuadratic(0.5, 1.5),
    k.DotProduct(0.5),
    k.DotProduct(0.5) ** 2,
    2.0 * k.RBF() + k.WhiteKernel(0.3) + 1.5,
    k.RBF() * k.Matern(nu=1.5),
    k.PairwiseKernel(gamma=0.3, metric="rbf"),
    k.PairwiseKernel(gamma=0.3, metric="laplacian"),
    k.PairwiseKernel(gamma=0.01, metric="poly", pairwise_kernels_kwargs={"degree": 2}),
    k.PairwiseKernel(metric="cosine"),
]


def rows(x: Any) -> Any:
    width = x.shape[1]
    far = [np.where(np.arange(width) == i, size, x[7]) for i in range(width) for size in (1e6, -1e12)]
    return np.vstack([x, x * 1.7 + 0.1, np.zeros((1, width)), far])


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_kernels_of_regressors(kernel: Any) -> None:
    fitted = GaussianProcessRegressor(kernel, alpha=0.5, optimizer=None).fit(PATIENTS, TARGET)
    assert_same(fitted, rows(PATIENTS), atol=1e-8)
    assert_empty(fitted, PATIENTS)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_kernels_of_classifiers(kernel: Any) -> None:
    fitted = GaussianProcessClassifier(kernel, optimizer=None).fit(PATIENTS, TARGET > 140)
    assert_same(fitted, rows(PATIENTS))
    assert_empty(fitted, PATIENTS)


def test_periodic_kernel_far_away() -> None:
    x = np.linspace(0, 9, 30)[:, None]
    fitted = GaussianProcessRegressor(k.ExpSineSquared(0.9, 3.1), alpha=0.1, optimizer=None).fit(x, np.sin(x[:, 0]))
    assert_same(fitted, np.vstack([x, [[0.3], [1e6], [-1e12], [1e15]]]))


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")
@pytest.mark.parametrize("targets", [TARGET, TARGET[:, None], np.column_stack([TARGET, PATIENTS[:, 0]])])
def test_targets(targets: Any, normalised: bool) -> None:
    kernel = k.RBF() + k.WhiteKernel()
    fitted = GaussianProcessRegressor(kernel, normalize_y=normalised, random_state=0).fit(PATIENTS, targets)
    assert_same(fitted, rows(PATIENTS), atol=1e-8)
    assert_empty(fitted, PATIENTS)


def test_three_classes_against_the_rest() -> None:
    fitted = GaussianProcessClassifier(2.0 * k.RBF(0.8), optimizer=None).fit(IRIS, np.array(["a", "b", "c"])[SPECIES])
    assert_same(fitted, rows(IRIS))
    assert_empty(fitted, IRIS)


def test_pairs_of_classes_have_labels_only() -> None:
    process = GaussianProcessClassifier(k.RBF(0.8), optimizer=None, multi_class="one_vs_one")
    model = make_pipeline(StandardScaler(), process).fit(IRIS, SPECIES)
    assert_same(model, rows(IRIS))
    assert set(answers(model, IRIS, "float64")[0]) == {"label"}


def test_two_classes_in_pairs_have_probabilities() -> None:
    process = GaussianProcessClassifier(k.RBF(0.8), optimizer=None, multi_class="one_vs_one")
    assert_same(process.fit(IRIS, SPECIES == 1), rows(IRIS))


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
def test_products_of_integers_go_around_the_corner() -> None:
    x = np.floor(IRIS * 3).astype(np.int64)
    fitted = GaussianProcessClassifier(k.DotProduct(), optimizer=None).fit(x, SPECIES == 1)
    large = np.array([0, -1, 2**31, 2**53 + 1])[:, None]
    assert_same(fitted, np.vstack([x, *(np.where(np.arange(4) == i, large, x[:4]) for i in range(4))]))


def test_bessel_functions_are_refused() -> None:
    fitted = GaussianProcessRegressor(k.Matern(nu=0.7), alpha=0.5, optimizer=None).fit(PATIENTS, TARGET)
    with pytest.raises(Unsupported, match="Bessel"):
        answers(fitted, PATIENTS, "float64")


def test_an_own_kernel_is_refused() -> None:
    class Own(k.RBF):
        pass

    fitted = GaussianProcessRegressor(Own(), alpha=0.5, optimizer=None).fit(PATIENTS, TARGET)
    with pytest.raises(Unsupported, match="kernel Own has no converter"):
        answers(fitted, PATIENTS, "float64")


def test_a_singular_kernel_matrix_is_refused() -> None:
    fitted = GaussianProcessRegressor(1e5 * k.RBF(30.0), alpha=1e-9, optimizer=None).fit(PATIENTS, TARGET)
    with pytest.raises(Unsupported, match="nearly singular"):
        answers(fitted, PATIENTS, "float64")


def test_error_function() -> None:
    import onnxruntime as ort

    graph = GraphBuilder("float64")
    graph.output("y", erf(graph, graph.input(TensorSpec("x", "float64", ("N", 1))).name), "float64", ("N", 1))
    x = np.concatenate([np.linspace(-9, 9, 20001), [0.0, 1.0, -1.0, 1e-300, 1e30, -1e300, np.nan]])[:, None]
    found = ort.InferenceSession(saved(graph.write), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, special.erf(x), rtol=4e-16, atol=0)
