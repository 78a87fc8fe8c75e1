"""Rows with several cells changed, rows between the example's, and rows asked in batches of their kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (without it there is no IterativeImputer)
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from mlpack_toolkit.converters._worker.joint_probes import BETWEEN, ROWS, several
from mlpack_toolkit.converters._worker.probes import Probe, columns_of
from mlpack_toolkit.converters._worker.reference import ask, ask_by_kind
from mlpack_toolkit.converters.spec import Cells, Description, Feature, Table, TensorSpec, Unsupported
from mlpack_toolkit.converters.table import rows_of, stack
from tests.converters.proving import held

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(200, 4))
NUMBERS[:, 1] += NUMBERS[:, 0]
HOLED = np.where(RNG.random(NUMBERS.shape) < 0.2, np.nan, NUMBERS)
TABLE = {
    "a": NUMBERS[:20, 0],
    "b": NUMBERS[:20, 1],
    "c": np.array(["x", "y"] * 10, object),
    "d": np.arange(20) % 3 * 1.0,
}
INPUTS = (
    *(TensorSpec(name, "float64", ("N", 1), Cells(nullable=True)) for name in "ab"),
    TensorSpec("c", "string", ("N", 1)),
    TensorSpec("d", "float64", ("N", 1), Cells(nullable=True)),
)
FEATURES = (Feature("a"), Feature("b"), Feature("c", "text", values=("x", "y")), Feature("d", values=(0.0, 1.0, 2.0)))
DESCRIPTION = Description("M", "regressor", FEATURES, named=True)


def _columns() -> list[Any]:
    return list(columns_of(DESCRIPTION, INPUTS, TABLE))


def _probe(kind: str, name: str, cells: list[Any]) -> Probe:
    column = next(c for c in _columns() if c.feature.name == name)
    return Probe(kind, name, column.with_values(np.array(cells, column.values.dtype)))


SINGLE = [
    Probe("example", "", TABLE),
    _probe("threshold", "a", [7.5]),
    _probe("threshold", "b", [-7.5]),
    _probe("missing", "a", [np.nan]),
    _probe("missing", "b", [np.nan]),
    _probe("unseen", "c", ["new"]),
    _probe("odd", "a", [1e-30]),
]


def test_several_cells_change_at_once_and_only_those_that_were_answered() -> None:
    made = several(_columns(), SINGLE, {rows_of(TABLE) + 3})
    mixed = stack([p.rows for p in made if p.kind == "several"])
    assert rows_of(mixed) == 2 * ROWS, "unseen texts and missing cells are in one column each: nothing to put together"
    assert ((mixed["a"] == 7.5) & (mixed["b"] == -7.5)).any()
    assert (np.isnan(mixed["a"]) & (mixed["c"] == "new")).any()
    assert not np.isnan(mixed["b"]).any(), "the original refused it by itself"
    changed = sum(~np.isin(mixed[name], TABLE[name]) for name in TABLE)
    assert (changed >= 2).all()


def test_columns_are_large_at_once_where_each_alone_was_answered() -> None:
    large = [_probe("large", name, [1e30, -1e30, 1e12]) for name in "abd"]
    refused = {rows_of(TABLE) + 6}  # d = 1e30
    rows = stack([p.rows for p in several(_columns(), [SINGLE[0], *large], refused) if p.kind == "several"])
    both = {(a, b, d) for a, b, d in zip(rows["a"], rows["b"], rows["d"]) if abs(a) > 1e6}
    assert {(1e12, 1e12, 1e12), (-1e30, -1e30, -1e30)} <= both
    assert (1e30, 1e30) in {(a, b) for a, b, d in both if d < 1e6}


def test_a_product_of_two_large_cells_is_not_infinite_in_the_graph() -> None:
    x = NUMBERS
    model = make_pipeline(PolynomialFeatures(2, interaction_only=True), StandardScaler(), LogisticRegression())
    proven = held(model.fit(x, (x[:, 0] > 0).astype(int)), x).proven
    assert proven.precision == "float64", "in float32 1e30 times 1e30 is infinite"


def test_rows_between_keep_texts_and_codes() -> None:
    between = next(p.rows for p in several(_columns(), SINGLE, set()) if p.kind == "between")
    assert rows_of(between) == BETWEEN
    assert set(between["c"]) <= {"x", "y"} and set(between["d"]) <= {0.0, 1.0, 2.0}
    assert not np.isin(between["a"], TABLE["a"]).all()
    assert (between["a"] >= TABLE["a"].min()).all() and (between["a"] <= TABLE["a"].max()).all()


def test_a_column_that_takes_no_odd_number_is_not_drawn_between() -> None:
    place = sum(rows_of(p.rows) for p in SINGLE) - 1
    between = next(p.rows for p in several(_columns(), SINGLE, {place}) if p.kind == "between")
    assert np.isin(between["a"], TABLE["a"]).all() and not np.isin(between["b"], TABLE["b"]).all()


def test_the_same_rows_are_made_twice() -> None:
    for one, other in zip(several(_columns(), SINGLE, ()), several(_columns(), SINGLE, ()), strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(one.rows), pd.DataFrame(other.rows))


def test_the_rest_is_asked_in_one_go_once_it_is_known_what_is_refused() -> None:
    batches: list[int] = []

    def predict(rows: Table) -> Table:
        if (rows["a"] > 5).any():
            raise ValueError("too large")
        batches.append(rows_of(rows))
        return {"prediction": rows["a"] - rows["a"].mean()}

    found = ask(predict, {"a": np.array([1.0, 2.0, 3.0, 9.0, 4.0])}, plain=1)
    assert list(found.refused) == [3]
    np.testing.assert_allclose(found.outputs["prediction"], [0, -1, 0, 1])
    assert batches[-1] == 3


def test_each_kind_is_asked_alone_and_a_strange_one_as_a_batch() -> None:
    rows = {"a": np.arange(6.0)}
    found = ask_by_kind(lambda t: t, rows, ["e", "e", "m", "m", "m", "o"], {2}, lambda kind: kind != "e")
    assert found.rows == [[1], [4], [3, 4], [5]]
    np.testing.assert_array_equal(found.outputs["a"], [1, 4, 3, 4, 5])


def test_a_row_that_is_refused_alone_stops_the_build() -> None:
    def predict(rows: Table) -> Table:
        if rows_of(rows) == 1:
            raise ValueError("one row is no batch")
        return rows

    with pytest.raises(Unsupported, match="rejects it alone"):
        ask_by_kind(predict, {"a": np.arange(3.0)}, ["e"] * 3, set(), lambda kind: False)


@pytest.mark.parametrize("options", [{}, {"add_indicator": True}, {"keep_empty_features": True}])
def test_an_iterative_imputer_asked_about_nothing_but_missing_cells(options: dict[str, Any]) -> None:
    data = HOLED if "keep_empty_features" not in options else np.column_stack([HOLED, np.full(len(HOLED), np.nan)])
    model = IterativeImputer(max_iter=3, random_state=0, **options).fit(data)
    found = held(model, data)
    nothing = np.full((1, data.shape[1]), np.nan)
    for rows in (nothing, np.repeat(nothing, 3, axis=0), np.vstack([nothing, data[:3]])):
        np.testing.assert_allclose(found.to_matrix(rows)["transformed"], model.transform(rows), rtol=1e-5, atol=1e-6)
    mixed = model.transform(np.vstack([nothing, data[:3]]))[0]
    if not options.get("keep_empty_features"):
        assert np.abs(mixed - model.transform(nothing)[0]).max() > 1e-3, "the batch makes no difference: a blind test"


def test_an_iterative_imputer_in_a_pipeline() -> None:
    model = make_pipeline(IterativeImputer(max_iter=3, random_state=0), StandardScaler(), LogisticRegression())
    model.fit(HOLED, NUMBERS[:, 0] > 0)
    found = held(model, HOLED)
    assert {"one of each kind alone", "each kind by itself", "several", "between"} <= set(found.proven.report.probes)
    nothing = np.full((1, 4), np.nan)
    np.testing.assert_allclose(
        found.to_matrix(nothing)["probabilities"], model.predict_proba(nothing), rtol=1e-5, atol=1e-6
    )


def test_ties_among_rows_with_several_missing_cells_are_refused() -> None:
    data = NUMBERS.copy()
    data[:, 3] = np.random.default_rng(1).integers(0, 40, len(data))
    data[np.arange(0, 200, 3), np.arange(67) % 4] = np.nan
    model = make_pipeline(KNNImputer(), Ridge()).fit(data, NUMBERS[:, 0])
    with pytest.raises(Exception, match="all cells but one"):
        held(model, data)
    assert held(make_pipeline(KNNImputer(), Ridge()).fit(HOLED, NUMBERS[:, 0]), HOLED).proven.report.equal
