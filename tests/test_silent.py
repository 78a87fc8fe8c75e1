"""No silent wrong result gets through: the bundle is right, or the build stops and names the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit import converters
from mlpack_toolkit.converters._worker.model_input import original_input
from mlpack_toolkit.converters.spec import Table
from mlpack_toolkit.packager.equivalence.comparison import compare, tolerances
from mlpack_toolkit.packager.equivalence.session import Session
from mlpack_toolkit.packager.errors import ConversionError, MismatchError
from mlpack_toolkit.runtimes.engine.rules import refused_rows
from tests.cases.silent import CASES
from tests.converters.check import table_of
from tests.make import build_model, save

REFUSED = {
    "neighbours_with_ties": "at equal distances (ties)",
}
"""Cases for which no graph is equal, or none is written yet, and a word of the reason that the build gives."""


@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name: str, tmp_path: Path) -> None:
    model, example, rows = CASES[name]()
    try:
        built = build_model(*save(model, example, tmp_path), tmp_path / "dist")
    except (ConversionError, MismatchError) as error:
        assert name in REFUSED, f"{name} was right once, now: {error}"
        assert REFUSED[name] in str(error)
        return
    assert name not in REFUSED, f"{name} is right now: take it off the list"
    _assert_right(built.bundle / "model" / "model.onnx", built.signature, model, rows)


def _assert_right(graph: Path, signature: Any, model: Any, x: Any) -> None:
    """The graph answers like the original where the signature's rules let a row pass; elsewhere the original raises."""
    session = Session(graph, signature)
    table = table_of(x)
    refused = refused_rows(session.signature, table, len(x))
    kept = {name: column[~refused] for name, column in table.items()}
    want = _original(model, kept)
    got = session.run(kept)
    kinds = np.full(len(next(iter(want.values()))), "adversarial", object)
    comparison = compare(want, got, kinds, tolerances(signature, want, kinds == "adversarial"))
    assert comparison.equal, f"{comparison.differs.sum()} of {len(kinds)} rows differ: {comparison.errors}"
    for row in np.flatnonzero(refused)[:3]:
        with pytest.raises(Exception):  # noqa: B017  (whatever the original raises)
            _original(model, {name: column[row : row + 1] for name, column in table.items()})


def _original(model: Any, table: Table) -> Table:
    from mlpack_toolkit.converters._worker.signature import inputs_of

    converter = converters.for_object(model)
    assert converter is not None
    description = converter.original.describe(model)
    return converter.original.predict(model, original_input(description, inputs_of(description, table, {}), table))
