"""A dozen golden cases: one at least for each kind of probe, text of every script, no rows, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.golden import GoldenCase
from mlpack_toolkit.packager.bundle.reader import Bundle, open_bundle
from mlpack_toolkit.packager.equivalence.session import Session
from mlpack_toolkit.runtimes.engine.rules import refused_rows
from tests.packager.conftest import Made


@pytest.fixture(scope="session")
def bundles(flowers: Made, crew: Made, prices: Made, penguins: Path) -> dict[str, Bundle]:
    found = {b.name: b for b in (flowers.bundle, crew.bundle, prices.bundle)}
    return {**found, "penguins": open_bundle(penguins / "dist" / "penguins-1.0.0")}


NAMES = ["flowers", "crew", "prices", "penguins"]


def rows_of(case: GoldenCase) -> int:
    return len(next(iter(case.rows.values())))


@pytest.mark.parametrize("name", NAMES)
def test_about_a_dozen_of_a_few_rows(name: str, bundles: dict[str, Bundle]) -> None:
    cases = list(bundles[name].golden())
    assert 6 <= len(cases) <= 16
    assert [c.identifier for c in cases] == [f"case-{i:03d}" for i in range(len(cases))]
    assert all(rows_of(c) <= 24 for c in cases)


@pytest.mark.parametrize("name", NAMES)
def test_a_case_for_every_kind_of_probe(name: str, bundles: dict[str, Bundle]) -> None:
    bundle = bundles[name]
    report = bundle.json("reports/verification.json")
    again = {"permuted batch", "one of each kind alone", "each kind by itself"}
    tried = {*report["probes"], *report["refused"]} - again
    assert {c.probe for c in bundle.golden()} == tried


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_no_row_and_of_one(name: str, bundles: dict[str, Bundle]) -> None:
    sizes = {c.probe: rows_of(c) for c in bundles[name].golden() if c.probe.startswith("batch")}
    assert sizes == {"batch of 0": 0, "batch of 1": 1}
    empty = next(c for c in bundles[name].golden() if c.probe == "batch of 0")
    for spec in bundles[name].signature.outputs:
        assert empty.answers[spec.name].shape == (0, *spec.shape[1:])


@pytest.mark.parametrize("name", ["crew", "penguins"])
def test_emoji_wherever_there_is_text(name: str, bundles: dict[str, Bundle]) -> None:
    bundle = bundles[name]
    for spec in bundle.signature.inputs:
        if spec.is_text:
            cells = {cell for case in bundle.golden() for cell in case.rows[spec.name].ravel()}
            assert any(cell and ord(max(cell)) > 0xFFFF for cell in cells), spec.name


def test_refusals_are_cases_of_one_row(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["crew"]
    refused = [c for c in bundle.golden() if c.error]
    assert {"unseen", "missing"} <= {c.probe for c in refused}
    for case in refused:
        assert rows_of(case) == 1 and not case.answers
        assert refused_rows(bundle.signature, case.rows, 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_are_the_originals(name: str, bundles: dict[str, Bundle], request: pytest.FixtureRequest) -> None:
    """Asked again, in this process, without any of the build's own code between."""
    if name == "penguins":
        import joblib

        fitted = joblib.load(request.getfixturevalue("penguins") / "penguins.joblib")
    else:
        fitted = request.getfixturevalue(name).fitted
    for case in bundles[name].golden():
        if case.error or not rows_of(case):
            continue
        x = original_rows(bundles[name], case)
        want = fitted.predict(x)
        got = case.answers.get("label", case.answers.get("prediction"))
        assert got is not None and got.shape == want.shape
        assert np.allclose(got, want, rtol=1e-13) if got.dtype.kind == "f" else list(got) == list(want)
        if "probabilities" in case.answers:
            # BLAS itself answers a row alone and the same row among others one ULP apart.
            assert np.allclose(case.answers["probabilities"], fitted.predict_proba(x), rtol=1e-13, atol=1e-16)


def original_rows(bundle: Bundle, case: GoldenCase) -> object:
    import pandas as pd

    if "X" in case.rows:
        return case.rows["X"]
    columns = {
        name: pd.Series(c).where(pd.notna(c), np.nan) if c.dtype.kind == "O" else c for name, c in case.rows.items()
    }
    return pd.DataFrame(columns)


@pytest.mark.parametrize("name", NAMES)
def test_floats_carry_their_tolerance(name: str, bundles: dict[str, Bundle]) -> None:
    allowed = bundles[name].json("reports/verification.json")["tolerances"]
    for case in bundles[name].golden():
        said = {n: {"rtol": t.rtol, "atol": t.atol} for n, t in (case.tolerances or {}).items()}
        assert case.error or said == allowed


def test_a_session_needs_only_the_signature(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["prices"]
    case = next(iter(bundle.golden()))
    answers = Session(bundle.graph.path, bundle.signature).run(case.rows)
    assert np.allclose(answers["prediction"], case.answers["prediction"], rtol=1e-5)
