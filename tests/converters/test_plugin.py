"""A converter's roles: what a framework brings of its own is what the worker uses, and the defaults hold else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from mlpack_toolkit.converters._worker.probes import Probe as Rows
from mlpack_toolkit.converters._worker.session import ModelSession
from mlpack_toolkit.converters.messages import REQUESTS, Load, Probe, line_of, request_of
from mlpack_toolkit.converters.needs import Requirement
from mlpack_toolkit.converters.plugin import Probing, column_probes
from mlpack_toolkit.converters.sklearn import CONVERTER
from mlpack_toolkit.converters.spec import Description, Signature, Table, TensorSpec
from mlpack_toolkit.converters.table import write_table

X = np.random.default_rng(0).normal(size=(30, 2))


def with_a_zero(
    model: LinearRegression, description: Description, inputs: tuple[TensorSpec, ...], example: Table
) -> list[Rows]:
    """The columns' own probes, and one row of zeros."""
    assert isinstance(model, LinearRegression)
    return [*column_probes(model, description, inputs, example), Rows("zero", "", {"X": np.zeros((1, 2))})]


@pytest.mark.parametrize(("probing", "more"), [(Probing(), set()), (Probing(batches=with_a_zero), {"zero"})])
def test_the_probes_are_the_converters_own(probing: Probing, more: set[str], tmp_path: Path) -> None:
    model, session = LinearRegression().fit(X, X[:, 0]), ModelSession()
    session.model, session.converter = model, replace(CONVERTER, probing=probing)
    session.description = CONVERTER.original.describe(model)
    write_table({"x0": X[:, 0], "x1": X[:, 1]}, tmp_path / "example.npz")
    found = session.probe(Probe(str(tmp_path / "example.npz"), str(tmp_path)))
    assert {"example", "odd"} <= set(found.kinds) and ("zero" in found.kinds) == ("zero" in more)


VALUES: dict[str, Any] = {
    "load": Load("m", "pickle", ("a.B",), versions={"x": "1"}, options={"r": {"arguments": {"s": 0.5}}}),
    "probe": Probe("e", "o", {"x": "float64"}, ((0, 1),)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_comes_out_as_it_went_in(name: str) -> None:
    plain = {"signature": Signature("graph", (), ())} if name == "adopt" else None
    others = {"lend": ("f",), "convert": ("float32", "o"), "predict": ("r", "o"), "measure": ("r", (1, 8), 0.5)}
    others |= {
        "observe": ("r", "o", ("a.b",), 8, 16),
        "read": ("e", "o"),
        "noise": ("r",),
        "judge": ("m:f", "w", "g", ("c",)),
    }
    made = VALUES.get(name) or REQUESTS[name](*others.get(name, ()), **(plain or {}))
    assert made.command == name and request_of(line_of(made)) == made
    with pytest.raises(AttributeError):
        made.command = "x"


@pytest.mark.parametrize("text", ["scikit-learn>=1.3", "scikit-learn", "scikit-learn <2", "scikit-learn[x]>=1"])
def test_a_requirement_knows_its_name(text: str) -> None:
    assert Requirement(text).name == "scikit-learn"
