"""Label propagation and spreading against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

WINES, KINDS = load_wine(return_X_y=True)
X = (WINES - WINES.mean(axis=0)) / WINES.std(axis=0)
PART = np.where(np.arange(len(KINDS)) % 3 == 0, -1, KINDS)


@pytest.mark.parametrize("kind", [LabelPropagation, LabelSpreading])
@pytest.mark.parametrize(
    "options", [{"gamma": 0.25}, {}, {"kernel": "knn"}, {"kernel": "knn", "n_neighbors": 15}], ids=str
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_labels_spread(kind: Any, options: dict[str, Any]) -> None:
    """Far from all training rows the kernel is 0: the original gives NaN, and the first class."""
    model = kind(**options).fit(X, PART)
    assert_same(model, np.vstack([X, X + 0.5, X * 1e3]))
    assert_empty(model, X[:2])


def test_in_float32() -> None:
    assert_same(LabelSpreading(gamma=0.25).fit(X, PART), X.astype(np.float32).astype(float), "float32", rtol=1e-4)


def test_a_kernel_of_its_own_is_refused() -> None:
    model = LabelSpreading(kernel=lambda a, b: np.abs(a @ b.T)).fit(X, PART)
    with pytest.raises(Unsupported, match="custom kernel"):
        answers(model, X, "float64")


def test_ties_are_refused() -> None:
    model = LabelPropagation(kernel="knn", n_neighbors=4).fit(np.round(X[:, :3]), KINDS)
    with pytest.raises(Unsupported, match="ties"):
        answers(model, np.round(X[:, :3]), "float64")
