"""Embeddings of manifolds against scikit-learn, on rows that were not seen in the fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.manifold import Isomap, LocallyLinearEmbedding

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

WINES = load_wine().data
X = (WINES - WINES.mean(axis=0)) / WINES.std(axis=0)


@pytest.mark.parametrize(
    "options",
    [{}, {"n_neighbors": 12, "n_components": 3}, {"metric": "manhattan"}, {"p": 3}, {"eigen_solver": "dense"}],
    ids=str,
)
def test_isomap(options: dict[str, Any]) -> None:
    model = Isomap(**options).fit(X[::2])
    assert_same(model, np.vstack([X, X + 3]))
    assert_empty(model, X[:2])


def test_isomap_refuses_a_radius() -> None:
    with pytest.raises(Unsupported, match="use n_neighbors"):
        answers(Isomap(radius=6.0, n_neighbors=None).fit(X), X, "float64")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_neighbors": 1, "n_components": 1},
        {"n_neighbors": 20, "reg": 1e-6},
        {"n_neighbors": 14, "method": "ltsa"},
    ],
    ids=str,
)
def test_locally_linear(options: dict[str, Any]) -> None:
    model = LocallyLinearEmbedding(random_state=0, eigen_solver="dense", **options).fit(X[::2])
    assert_same(model, np.vstack([X, X + 3]))
    assert_empty(model, X[:2])


def test_neighbours_that_all_lie_at_the_row() -> None:
    """Five copies of each row: nothing to rebuild it from but itself."""
    x = np.repeat(X[:30], 5, axis=0)
    assert_same(LocallyLinearEmbedding(n_neighbors=5, random_state=0, eigen_solver="dense").fit(x), X[:40])


def test_ties_are_refused() -> None:
    for model in (Isomap(), LocallyLinearEmbedding(random_state=0, eigen_solver="dense")):
        with pytest.raises(Unsupported, match=rf"{type(model).__name__} has to choose among .* \(ties\)"):
            answers(model.fit(np.round(X[:, :3] * 2)), X[:, :3], "float64")
