"""Sparse codes and sparse components against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import (
    DictionaryLearning,
    MiniBatchDictionaryLearning,
    MiniBatchSparsePCA,
    SparseCoder,
    SparsePCA,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

X, Y = load_wine(return_X_y=True)
WINE = StandardScaler().fit_transform(X)
DRAWN = np.random.default_rng(0).normal(size=(20, 13))
ATOMS = DRAWN / np.linalg.norm(DRAWN, axis=1, keepdims=True)
ROWS = np.vstack([WINE, WINE * 30, ATOMS, np.zeros((1, 13))])

pytestmark = pytest.mark.filterwarnings(
    "ignore:Orthogonal matching pursuit ended", "ignore:Objective did not converge", "ignore:With alpha=0"
)


def coder(atoms: Any = ATOMS, **options: Any) -> Any:
    return SparseCoder(atoms, **{f"transform_{name}": value for name, value in options.items()}).fit(WINE)


@pytest.mark.parametrize("most", [1, 2, 5, 13])
def test_matching_pursuit(most: int) -> None:
    fitted = coder(n_nonzero_coefs=most)
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)


def test_matching_pursuit_ends_early_where_the_chosen_atoms_make_up_all_others() -> None:
    atoms = np.vstack([np.random.default_rng(1).normal(size=(6, 3)) @ ATOMS[:3], np.zeros((1, 13))])
    fitted = coder(atoms, n_nonzero_coefs=6)
    assert_same(fitted, WINE)
    assert (np.count_nonzero(answers(fitted, WINE, "float64")[1]["transformed"], axis=1) == 3).all()


@pytest.mark.parametrize("options", [{}, {"positive_code": True}, {"split_sign": True}], ids=str)
def test_threshold(options: dict[str, bool]) -> None:
    fitted = SparseCoder(ATOMS, transform_algorithm="threshold", transform_alpha=0.4, **options).fit(WINE)
    assert_same(fitted, ROWS)
    assert_same(fitted, WINE.astype(np.float32).astype(float), "float32")
    assert_empty(fitted, ROWS)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(
    ("kind", "alpha"), [("lasso_cd", 0.5), ("lasso_cd", 5), ("lasso_lars", 0.05), ("lasso_lars", 2)]
)
def test_lasso(kind: str, alpha: float, positive: bool) -> None:
    fitted = coder(algorithm=kind, alpha=alpha).set_params(positive_code=positive)
    assert_same(fitted, np.vstack([WINE, ATOMS, np.zeros((1, 13))]))
    assert_empty(fitted, ROWS)


@pytest.mark.parametrize("kind", ["lasso_cd", "lasso_lars"])
def test_lasso_that_is_cut_off(kind: str) -> None:
    assert_same(coder(algorithm=kind, alpha=0.3, max_iter=4), WINE)


def test_lasso_with_an_empty_atom() -> None:
    atoms = np.vstack([ATOMS[:5], np.zeros((1, 13))])
    assert_same(coder(atoms, algorithm="lasso_cd", alpha=0.5), WINE)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_least_angles(steps: int) -> None:
    fitted = coder(algorithm="lars", n_nonzero_coefs=steps)
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)


def test_what_has_no_graph_is_refused() -> None:
    with pytest.raises(Unsupported, match="alpha above 0"):
        assert_same(coder(algorithm="lasso_cd", alpha=0), WINE)
    many = np.random.default_rng(0).normal(size=(129, 13))
    with pytest.raises(Unsupported, match="at most 128 atoms"):
        assert_same(coder(many, algorithm="lasso_lars"), WINE)


def test_a_path_over_atoms_that_are_multiples_is_refused() -> None:
    assert_same(coder(ATOMS[:5], algorithm="lars"), WINE)
    with pytest.raises(Unsupported, match="multiples of each other"):
        assert_same(coder(np.vstack([ATOMS[:5], -2 * ATOMS[:1]]), algorithm="lars"), WINE)


@pytest.mark.parametrize("kind", [DictionaryLearning, MiniBatchDictionaryLearning])
def test_learnt_dictionaries(kind: Any) -> None:
    fitted = kind(6, max_iter=5, random_state=0).fit(WINE)
    assert_same(fitted, WINE)
    by_its_own_alpha = fitted.set_params(transform_algorithm="lasso_cd", alpha=0.7)
    assert_same(by_its_own_alpha, WINE)


def test_a_dictionary_of_float32() -> None:
    atoms = ATOMS.astype(np.float32)
    assert_same(coder(atoms, n_nonzero_coefs=4), WINE)
    # here scikit-learn answers in float32
    assert_same(coder(atoms, algorithm="lasso_lars", alpha=0.5), WINE, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("made", [SparsePCA(3), SparsePCA(1), MiniBatchSparsePCA(4, ridge_alpha=3.0)], ids=str)
def test_sparse_components(made: Any) -> None:
    fitted = made.set_params(random_state=0, max_iter=20).fit(WINE)
    assert_same(fitted, ROWS)
    assert_same(fitted, WINE[:1])
    assert_empty(fitted, ROWS)


def test_one_row_through_sparse_components_to_a_classifier() -> None:
    model = make_pipeline(SparsePCA(3, max_iter=20, random_state=0), LogisticRegression()).fit(WINE, Y)
    assert_same(model, WINE[:1])
