"""Calibrated classifiers and isotonic regression, at the knots and beside them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from sklearn import svm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from mlpack_toolkit.converters import for_object
from mlpack_toolkit.converters._graph.builder import GraphBuilder
from mlpack_toolkit.converters._lookup import convert
from mlpack_toolkit.converters.spec import TensorSpec, Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

MEMBERS = [LogisticRegression(), svm.SVC(), svm.LinearSVC(), GaussianNB(), BernoulliNB(binarize=0.25)]


def classes(count: int, rows: int = 240) -> tuple[Any, Any]:
    x, y = make_classification(rows, 6, n_informative=4, n_redundant=0, n_classes=count, random_state=9)
    return x, np.array(["b", "é", "a", "d"])[y]


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_calibrated(member: Any, method: str, ensemble: bool, count: int) -> None:
    x, y = classes(count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CalibratedClassifierCV(member, method=method, ensemble=ensemble, cv=3).fit(x, y)
        assert_same(model, np.vstack([x, x * 3, np.zeros((1, 6))]))
        assert_same(model, x[:1])
    assert_empty(model, x[:2])


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_few_distinct_probabilities(method: str) -> None:
    """Neighbours and bags say few different probabilities: rows fall exactly on the knots."""
    x, y = classes(3)
    for member in (KNeighborsClassifier(7), BaggingClassifier(BernoulliNB(), 3, random_state=0)):
        model = CalibratedClassifierCV(member, method=method, cv=3).fit(x, y)
        assert_same(model, np.vstack([x, x * 3]))


def test_members_that_miss_a_class() -> None:
    x, y = classes(4)
    rare = np.where((y == "d") & (np.arange(len(y)) > 80), "a", y)
    folds = [(np.arange(start, start + 160), np.arange(240)) for start in (0, 80)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in ("sigmoid", "isotonic"):
            model = CalibratedClassifierCV(GaussianNB(), method=method, cv=folds).fit(x, rare)
            assert {len(c.estimator.classes_) for c in model.calibrated_classifiers_} == {3, 4}
            assert_same(model, x)


def test_prefit() -> None:
    x, y = classes(3)
    model = CalibratedClassifierCV(FrozenEstimator(svm.LinearSVC().fit(x, y)), method="isotonic").fit(x, y)
    assert_same(model, x)


def test_isotonic_is_refused_in_float32() -> None:
    x, y = classes(2)
    with pytest.raises(Unsupported, match="float64"):
        answers(CalibratedClassifierCV(method="isotonic").fit(x, y), x, "float32")


def predicted(model: IsotonicRegression, x: Any) -> Any:
    graph = GraphBuilder("float64")
    frame = (graph.input(TensorSpec("X", "float64", ("N", 1))),)
    prediction = convert(model, frame, graph).prediction
    assert prediction is not None
    graph.output("prediction", prediction, "float64", ("N",))
    session = ort.InferenceSession(graph.model(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": np.asarray(x, float).reshape(-1, 1)})[0]


@pytest.mark.parametrize("bounds", ["clip", "nan"])
def test_isotonic_at_its_knots(bounds: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=300), [0.1, 0.1 + 1e-12, 5e5]])
    model = IsotonicRegression(out_of_bounds=bounds).fit(x, np.sin(x) + x / 9 + rng.normal(size=303))
    knots = model.X_thresholds_
    probes = np.concatenate([knots, np.nextafter(knots, 9e9), np.nextafter(knots, -9e9), x, [-1e30, 1e30]])
    np.testing.assert_allclose(predicted(model, probes), model.predict(probes), rtol=1e-12, atol=1e-14)
    assert predicted(model, []).shape == (0,)
    outside = np.isnan(model.predict(probes)).sum()
    assert outside == (4 if bounds == "nan" else 0)


def test_isotonic_of_one_point() -> None:
    model = IsotonicRegression(out_of_bounds="clip").fit([2.0, 2.0], [3.0, 5.0])
    assert predicted(model, [1, 2, 3]).tolist() == model.predict([1, 2, 3]).tolist() == [4, 4, 4]


def test_isotonic_that_raises_says_where() -> None:
    model = IsotonicRegression(out_of_bounds="raise").fit([1, 2, 4], [3, 4, 4.5])
    converter = for_object(model)
    assert converter is not None
    assert [f.bounds for f in converter.original.describe(model).features] == [(1.0, 4.0)]
    assert predicted(model, [1, 3, 4]).tolist() == model.predict([1, 3, 4]).tolist()
