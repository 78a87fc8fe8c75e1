"""Non-negative factorisations and topics against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import NMF, LatentDirichletAllocation, MiniBatchNMF

from mlpack_toolkit.converters.spec import Unsupported
from tests.converters.check import answers, assert_same
from tests.converters.sklearn.empty import assert_empty

IRIS = load_iris().data
GREY = load_digits().data[:60]
ROWS = np.vstack([GREY, GREY * 1000, GREY / 7, np.zeros((1, 64))])


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize(
    "made",
    [
        NMF(4, tol=0, random_state=0),
        NMF(1, tol=0, random_state=0),
        NMF(4, tol=0, alpha_W=0.1, l1_ratio=0.3, random_state=0),
        NMF(4, tol=0, max_iter=3, random_state=0),
    ],
    ids=str,
)
def test_nmf_without_a_tolerance(made: Any) -> None:
    fitted = made.fit(GREY)
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_nmf_with_a_tolerance_is_refused_until_it_is_set_to_0() -> None:
    fitted = NMF(3, random_state=0).fit(IRIS)
    alone = np.vstack([fitted.transform(row[None]) for row in IRIS])
    assert np.abs(alone - fitted.transform(IRIS)).max() > 1e-4
    with pytest.raises(Unsupported, match=r"depends on its neighbours.*set_params\(tol=0\)"):
        assert_same(fitted, IRIS)
    assert_same(fitted.set_params(tol=0), IRIS)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize(
    "made",
    [
        NMF(3, solver="mu"),
        NMF(3, solver="mu", alpha_W=0.1, l1_ratio=0),
        NMF(3, solver="mu", beta_loss="kullback-leibler"),
        MiniBatchNMF(3),
        MiniBatchNMF(3, beta_loss="kullback-leibler", transform_max_iter=7),
    ],
    ids=str,
)
def test_multiplications_without_a_tolerance(made: Any) -> None:
    fitted = made.set_params(random_state=0).fit(GREY).set_params(tol=0)
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize(
    "made",
    [
        NMF(2, solver="mu", alpha_W=0.1, l1_ratio=0.5),
        NMF(2, solver="mu", beta_loss="kullback-leibler", alpha_W=0.1),
        MiniBatchNMF(2, beta_loss=1.5),
    ],
    ids=str,
)
def test_what_keeps_the_mean_of_the_batch_is_refused(made: Any) -> None:
    with pytest.raises(Unsupported, match="starts from the mean of the whole batch"):
        assert_same(made.set_params(random_state=0, tol=0).fit(IRIS), IRIS)


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_an_order_drawn_anew_is_refused() -> None:
    with pytest.raises(Unsupported, match="shuffles the components"):
        assert_same(NMF(2, shuffle=True, tol=0, random_state=0).fit(IRIS), IRIS)


def test_a_negative_number_whose_fate_depends_on_the_batch_is_refused() -> None:
    fitted = MiniBatchNMF(2, random_state=0).fit(IRIS).set_params(tol=0)
    below = np.array([[5.0, -1.0, 3.0, 0.2]])
    assert np.isfinite(fitted.transform(below)).all()
    with pytest.raises(ValueError, match="negative"):
        assert_same(fitted, below)


@pytest.mark.parametrize(
    "options",
    [{}, {"doc_topic_prior": 1e-4}, {"doc_topic_prior": 1e-9}, {"max_doc_update_iter": 2}, {"mean_change_tol": 1e-9}],
    ids=str,
)
def test_topics(options: dict[str, Any]) -> None:
    fitted = LatentDirichletAllocation(5, random_state=0, max_iter=3, **options).fit(GREY)
    assert_same(fitted, ROWS)
    assert_empty(fitted, ROWS)


def test_each_document_stops_by_itself() -> None:
    fitted = LatentDirichletAllocation(5, random_state=0, max_iter=3).fit(GREY)
    together, alone = answers(fitted, ROWS, "float64")[1], answers(fitted, ROWS[:1], "float64")[1]
    np.testing.assert_allclose(together["transformed"][:1], alone["transformed"], rtol=1e-12)
