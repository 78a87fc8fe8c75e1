"""Tolerances by the original's own noise."""

from __future__ import annotations

import numpy as np
import pytest

from mlpack_toolkit.converters._worker.noise import noise_of
from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.equivalence.comparison import tolerances
from mlpack_toolkit.packager.equivalence.noise import loosened


@pytest.mark.parametrize(
    ("noise", "largest", "atol"),
    [(0.0, 1.0, 1e-6), (1e-7, 1.0, 1e-6), (1e-5, 1.0, 4e-5), (1.0, 2.0, 2e-3), (1.0, np.inf, 1e-6)],
)
def test_four_times_the_noise_but_no_more_than_a_thousandth(noise: float, largest: float, atol: float) -> None:
    found = loosened({"y": Tolerance(1e-5, 1e-6)}, {"y": noise}, {"y": np.array([largest], np.float32)})
    assert found == {"y": Tolerance(1e-5, pytest.approx(atol))}


def test_small_answers_are_held_to_their_own_size() -> None:
    signature = Signature("graph", (), (TensorSpec("y", "float32", ("N",)),))
    want, example = {"y": np.array([1e-9, -3e-9], np.float32)}, np.ones(2, bool)
    assert tolerances(signature, want, example)["y"].atol == 1e-6
    assert tolerances(signature, want, example, small=True)["y"].atol == pytest.approx(3e-15)


def test_noise_is_the_largest_difference_of_finite_cells() -> None:
    def predict(rows: Table) -> Table:
        x = rows["x"]
        return {"y": x + (0.25 if len(x) == 1 else 0), "label": np.zeros(len(x), np.int64)}

    rows = {"x": np.array([1.0, np.nan, np.inf])}
    shifted = {"y": np.array([1.5, 7.0, np.inf]), "label": np.ones(3, np.int64)}
    assert noise_of(predict, lambda x: [shifted], rows, None) == {"y": 0.5}
    assert noise_of(predict, lambda x: [], rows, {"x": 0, "y": 0, "label": 0}) == {"y": 0.25}


def test_the_least_number_of_a_wider_type_is_no_noise() -> None:
    rows = {"x": np.array([1.0, np.finfo(np.float32).min], np.float32)}
    wider = {"y": np.array([1.25, np.finfo(np.float64).min])}
    assert noise_of(lambda x: {"y": x["x"]}, lambda x: [wider], rows, None) == {"y": 0.25}
