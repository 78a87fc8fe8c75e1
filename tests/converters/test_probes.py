"""Probes that a bound asks for: the number itself and its neighbours, in the column's own type."""

from __future__ import annotations

import numpy as np
import pytest

from mlpack_toolkit.converters._worker.probes import make_probes
from mlpack_toolkit.converters._worker.signature import inputs_of
from mlpack_toolkit.converters.spec import Description, Feature


def odd(bound: float, example: np.ndarray) -> set[float]:
    """The values of kind `odd` that a column with this bound is tried with."""
    description = Description("Model", "regressor", (Feature("a", bounds=(bound,)),), named=True)
    table = {"a": example}
    probes = make_probes(description, inputs_of(description, table, {}), table)
    return {float(v) for probe in probes if probe.kind == "odd" for v in probe.rows["a"]}


@pytest.mark.parametrize("bound", [0.0, -0.01, 4.3, 1e20])
def test_a_bound_and_the_numbers_beside_it(bound: float) -> None:
    tried = odd(bound, np.array([1.5, 2.5]))
    single = np.float32(bound)
    wanted = {bound, float(single), *(np.nextafter(bound, towards) for towards in (-np.inf, np.inf))}
    assert wanted <= tried
    assert {float(np.nextafter(single, np.float32(towards))) for towards in (-np.inf, np.inf)} <= tried


def test_a_bound_of_whole_numbers() -> None:
    assert {-1.0, 0.0, 1.0} <= odd(0.0, np.array([3, 4]))
    assert {1.0, 2.0, 3.0, 4.0} <= odd(2.5, np.array([3, 4]))
