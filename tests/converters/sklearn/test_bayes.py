"""Naive Bayes against its originals: far rows, thresholds, categories, one class, empty batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import naive_bayes as bayes

from mlpack_toolkit.converters import for_object
from tests.converters.check import assert_same
from tests.converters.sklearn.empty import assert_empty


def counts(classes: int = 3, rows: int = 150) -> tuple[Any, Any]:
    rng = np.random.default_rng(5)
    y = rng.integers(0, classes, rows)
    return rng.poisson(1 + y[:, None] * np.array([1, 0, 2, 0.5])).astype(float), np.array(["é", "b", "c"])[y]


def check(model: Any, x: Any) -> None:
    assert_same(model, x)
    assert_same(model, x[:1])
    assert_same(model, x[:40], "float32", rtol=1e-4, atol=1e-5)
    assert_empty(model, x[:2])


@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize(
    "model",
    [
        bayes.GaussianNB(),
        bayes.MultinomialNB(),
        bayes.MultinomialNB(alpha=0.3, fit_prior=False),
        bayes.ComplementNB(),
        bayes.ComplementNB(norm=True),
        bayes.BernoulliNB(),
        bayes.BernoulliNB(binarize=1.5),
        bayes.CategoricalNB(min_categories=30),
    ],
    ids=str,
)
def test_model(model: Any, classes: int) -> None:
    if classes == 1 and isinstance(model, bayes.ComplementNB):
        pytest.skip("ComplementNB of one class has weights of NaN")
    x, y = counts(classes)
    check(model.fit(x, y), x)


def test_gaussian_with_priors_far_from_zero() -> None:
    x, y = counts()
    x = x + np.array([1e6, 0, -1e4, 0])
    model = bayes.GaussianNB(priors=[0.2, 0.5, 0.3], var_smoothing=1e-12).fit(x, y)
    far = x + np.random.default_rng(0).normal(size=x.shape)
    assert_same(model, np.vstack([far, far * 100, -far, np.full((1, 4), 1e200)]))


def test_a_class_that_cannot_be() -> None:
    x, y = counts()
    assert_same(bayes.GaussianNB(priors=[0.0, 0.5, 0.5]).fit(x, y), x)


def test_bernoulli_at_its_threshold() -> None:
    x, y = counts()
    model = bayes.BernoulliNB(binarize=0.1).fit(x, y)
    near = np.array([0.1, np.nextafter(0.1, 1), np.nextafter(0.1, 0), -5, 1e30])
    assert_same(model, np.array(np.meshgrid(near, near, near, near)).reshape(4, -1).T)
    converter = for_object(model)
    assert converter is not None
    assert [f.thresholds for f in converter.original.describe(model).features] == [(0.1,)] * 4


def test_bernoulli_without_a_threshold() -> None:
    x, y = counts()
    x = (x > 1).astype(float)
    check(bayes.BernoulliNB(binarize=None).fit(x, y), x)


@pytest.mark.parametrize("kind", [int, float])
def test_categories(kind: Any) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, n, 200) for n in (2, 5, 9)]).astype(kind)
    model = bayes.CategoricalNB().fit(x, (x[:, 0] + x[:, 2]) % 3)
    assert_same(model, x)
    assert_empty(model, x[:2])
    if kind is float:
        assert_same(model, x[:50] + np.array([0.5, 0.999999, 0.0]))
    converter = for_object(model)
    assert converter is not None
    assert [f.values for f in converter.original.describe(model).features] == [tuple(range(n)) for n in (2, 5, 9)]
