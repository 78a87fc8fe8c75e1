"""Feature maps of kernels against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.kernel_approximation import AdditiveChi2Sampler, PolynomialCountSketch, RBFSampler, SkewedChi2Sampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import assert_same, converted
from tests.converters.sklearn.empty import assert_empty

IRIS = load_iris().data
GREY = load_digits().data[:60]


@pytest.mark.parametrize(("steps", "interval"), [(1, None), (2, None), (3, None), (4, 0.3)])
def test_additive_chi_squared_with_its_zeros(steps: int, interval: float | None) -> None:
    rows = np.vstack([GREY, GREY * 1e6, -GREY * 0])
    fitted = AdditiveChi2Sampler(sample_steps=steps, sample_interval=interval).fit(GREY)
    assert_same(fitted, rows)
    assert_same(fitted, GREY, "float32")
    assert_empty(fitted, rows)


def test_skewed_chi_squared() -> None:
    fitted = SkewedChi2Sampler(skewedness=0.7, n_components=9, random_state=0).fit(IRIS)
    assert_same(fitted, np.vstack([IRIS, IRIS * -0.05, IRIS * 1e6]))
    assert_empty(fitted, IRIS)


@pytest.mark.parametrize(("made", "bound"), [(AdditiveChi2Sampler(), 0.0), (SkewedChi2Sampler(skewedness=0.7), -0.7)])
def test_where_they_begin_to_refuse(made: Any, bound: float) -> None:
    fitted = made.fit(IRIS)
    converter = for_object(fitted)
    assert converter is not None
    assert [f.bounds for f in converter.original.describe(fitted).features] == [(bound,)] * 4


@pytest.mark.parametrize("size", [1, 2, 7, 16, 100])
@pytest.mark.parametrize(("degree", "constant"), [(1, 0.0), (2, 0.0), (3, 1.5)])
def test_count_sketches(size: int, degree: int, constant: float) -> None:
    sketch = PolynomialCountSketch(gamma=0.7, degree=degree, coef0=constant, n_components=size, random_state=0)
    fitted = make_pipeline(MinMaxScaler(), sketch).fit(IRIS)
    assert_same(fitted, IRIS)
    assert_empty(fitted, IRIS)


def test_a_count_sketch_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(Unsupported, match="at most 2048"):
        assert_same(PolynomialCountSketch(n_components=3000, random_state=0).fit(IRIS), IRIS)


@pytest.mark.parametrize("kind", [AdditiveChi2Sampler, RBFSampler, SkewedChi2Sampler])
def test_cosines_of_doubles_need_no_kernel_that_the_older_runtime_lacks(kind: Any) -> None:
    graph = onnx.load_model_from_string(converted(kind().fit(IRIS), IRIS, "float64")[0])
    assert "Cos" not in {node.op_type for node in graph.graph.node}
