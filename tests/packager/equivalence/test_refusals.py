"""What the original refused becomes a rule, or stops the build."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import MATRIX, Cells, Signature, TensorSpec
from mlpack_toolkit.packager.equivalence.probes import Probes
from mlpack_toolkit.packager.equivalence.refusals import with_rules
from mlpack_toolkit.packager.errors import ConversionError
from mlpack_toolkit.runtimes.engine.rules import refused_rows, violations

Rows = list[tuple[str, str, Any, bool]]
"""Kind, column, value, refused."""


def text(name: str) -> TensorSpec:
    return TensorSpec(name, "string", ("N", 1), Cells(nullable=True, missing=""))


def number(name: str) -> TensorSpec:
    return TensorSpec(name, "float64", ("N", 1), Cells(nullable=True))


def single(
    spec: TensorSpec, rows: Rows, known: list[Any] | None = None, bounds: list[float] | None = None
) -> tuple[Signature, Probes]:
    cells = np.array([*(r[2] for r in rows), None], object)[:-1]
    table = {spec.name: cells if spec.is_text else cells.astype(np.float64)}
    kinds, columns = (np.array([r[i] for r in rows], object) for i in (0, 1))
    refused = {i: "ValueError: no" for i, r in enumerate(rows) if r[3]}
    signature = Signature("regressor", (spec,), (TensorSpec("prediction", "float64", ("N",)),))
    values, ends = ({spec.name: own} if own else {} for own in (known, bounds))
    probes = Probes(table, kinds, columns, {}, refused, values=values, features=(spec.name,), bounds=ends)
    return signature, probes


def ruled(
    spec: TensorSpec, rows: Rows, known: list[Any] | None = None, bounds: list[float] | None = None
) -> TensorSpec:
    signature, probes = single(spec, rows, known, bounds)
    found = with_rules(signature, probes)
    assert list(np.flatnonzero(refused_rows(found, probes.rows, probes.count))) == list(probes.refused)
    return found.inputs[0]


def test_no_refusal_no_rule() -> None:
    signature, probes = single(number("a"), [("example", "", 1.0, False), ("missing", "a", math.nan, False)])
    assert with_rules(signature, probes) == signature


def test_missing_numbers() -> None:
    found = ruled(number("a"), [("example", "", 1.0, False), ("missing", "a", math.nan, True)])
    assert not found.nullable


def test_missing_text() -> None:
    found = ruled(text("a"), [("example", "", "😀", False), ("missing", "a", None, True)])
    assert not found.nullable


@pytest.mark.parametrize(("first", "limit"), [(1e12, 1e6), (1e30, 1e12), (1e39, 1e30), (math.inf, 1e30)])
def test_large_numbers(first: float, limit: float) -> None:
    tried = [1e6, 1e12, 1e30, 1e39, math.inf]
    kept = [v for v in tried if v <= limit]
    rows: Rows = [
        ("example", "", 0.0, False),
        *(("large", "a", v, v not in kept) for v in tried if v in kept or v >= first),
    ]
    assert ruled(number("a"), rows).limit == limit


def test_where_the_smallest_large_number_is_refused_no_limit_is_guessed() -> None:
    rows: Rows = [("example", "", 5.0, False), ("large", "a", 1e2, True), ("large", "a", 1e12, True)]
    with pytest.raises(ConversionError, match=r"no input constraint can express.*'large'.*column 'a'"):
        with_rules(*single(number("a"), rows))


def odd(*values: tuple[float, bool]) -> Rows:
    return [("example", "", 0.5, False), *(("odd", "a", value, refused) for value, refused in values)]


def test_a_bound_that_is_taken_itself() -> None:
    rows = odd((-1.0, True), (-5e-324, True), (-0.0, False), (5e-324, False), (2.0, False), (-1e6, True))
    found = ruled(number("a"), rows, bounds=[0.0])
    assert (found.least, found.most, found.limit) == (0.0, None, None)
    assert math.copysign(1, found.least or 0) == 1


def test_a_bound_that_is_refused_itself_begins_at_the_next_number() -> None:
    rows = odd((-1.0, True), (0.0, True), (5e-324, False), (1.0, False), (2.0, False))
    assert ruled(number("a"), rows, bounds=[0.0]).least == 5e-324


def test_bounds_on_both_sides_beside_a_limit_and_the_missing() -> None:
    rows = odd((0.1, False), (np.nextafter(0.1, 0), True), (0.7, False), (np.nextafter(0.7, 1), True), (0.5, False))
    rows += [("large", "a", math.inf, True), ("missing", "a", math.nan, True)]
    found = ruled(number("a"), rows, bounds=[0.1, 0.7])
    assert (found.least, found.most, found.limit, found.nullable) == (0.1, 0.7, None, False)


def test_what_no_known_bound_explains_stops_the_build() -> None:
    rows = odd((-1.0, True), (0.0, False), (5e-324, False))
    with pytest.raises(ConversionError, match=r"no input constraint can express.*'odd'"):
        with_rules(*single(number("a"), rows, bounds=[0.0]))
    with pytest.raises(ConversionError, match=r"no input constraint can express.*'odd'"):
        with_rules(*single(number("a"), odd((-5e-324, True), (0.0, False))))


def test_a_bound_that_the_original_does_not_keep_is_not_written() -> None:
    rows = [*odd((-5e-324, False), (0.0, False)), ("large", "a", math.inf, True), ("large", "a", 1e6, False)]
    found = ruled(number("a"), rows, bounds=[0.0])
    assert (found.least, found.limit) == (None, 1e30)


def test_whole_numbers() -> None:
    spec = TensorSpec("a", "int64", ("N", 1), Cells())
    signature, probes = single(number("a"), odd((-1, True), (0, False), (1, False)), bounds=[0.0])
    probes = replace(probes, rows={"a": probes.rows["a"].astype(np.int64)})
    assert with_rules(replace(signature, inputs=(spec,)), probes).inputs[0].least == 0


def test_a_bound_in_words() -> None:
    spec = number("a").with_cells(least=0.5, most=2.0)
    broken = violations(Signature("regressor", (spec,), ()), {"a": np.array([0.25, 0.5, 2.0, 2.5, math.nan])})
    assert [str(v) for v in broken] == [
        "row 0, column 'a': a number below 0.5, and the model takes none there",
        "row 3, column 'a': a number above 2.0, and the model takes none there",
    ]


def test_unseen_text() -> None:
    rows: Rows = [("example", "", "😀", False), ("category", "a", "日本", False), ("unseen", "a", "x", True)]
    assert ruled(text("a"), rows, ["😀", "日本"]).values == ("😀", "日本")


def test_a_known_value_that_is_refused_all_the_same_stops_the_build() -> None:
    rows: Rows = [("example", "", "a", False), ("category", "a", "b", True)]
    with pytest.raises(
        ConversionError, match=r"no input constraint can express.*'category'.*column 'a'.*a = 'b'.*ValueError: no"
    ):
        with_rules(*single(text("a"), rows, ["a", "b"]))


def test_unseen_text_without_known_values_stops_the_build() -> None:
    rows: Rows = [("example", "", "a", False), ("unseen", "a", "😀", True)]
    with pytest.raises(ConversionError, match="😀"):
        with_rules(*single(text("a"), rows))


def test_a_rule_that_forbids_an_answered_example_stops_the_build() -> None:
    rows: Rows = [("example", "", math.nan, False), ("missing", "a", math.nan, True)]
    with pytest.raises(ConversionError, match="also reject a row that it answers"):
        with_rules(*single(number("a"), rows))


def test_rules_by_column_of_a_matrix() -> None:
    spec = TensorSpec("X", "float64", ("N", 2), Cells(kind=MATRIX, nullable=True))
    rows = np.array([[1.0, 2.0], [math.nan, 2.0], [1.0, math.nan]])
    probes = Probes(
        {"X": rows},
        np.array(["example", "missing", "missing"], object),
        np.array(["", "0", "1"], object),
        {},
        {1: "ValueError: no"},
        features=("0", "1"),
    )
    found = with_rules(Signature("regressor", (spec,), ()), probes)
    assert [f.nullable for f in found.inputs[0].features] == [False, True]
    broken = list(violations(found, {"X": rows}))
    assert [(v.row, v.column) for v in broken] == [(1, "0")]
    assert str(broken[0]) == "row 1, column '0': a missing value, and the model takes none here"


def test_one_rule_for_a_whole_matrix_and_no_rows() -> None:
    spec = TensorSpec("X", "float64", ("N", 2), Cells(kind=MATRIX, nullable=True, limit=1e6))
    signature = Signature("regressor", (spec,), ())
    assert refused_rows(signature, {"X": np.zeros((0, 2))}, 0).shape == (0,)
    assert list(refused_rows(signature, {"X": np.array([[0, 1e7], [1.0, 1.0]])}, 2)) == [True, False]


@pytest.mark.parametrize("value", ["\uffff"])
def test_the_stand_in_for_missing_text_is_refused_as_text(value: str) -> None:
    spec = TensorSpec("a", "string", ("N", 1), Cells(nullable=True, missing=value))
    broken = list(violations(Signature("regressor", (spec,), ()), {"a": np.array([value, "", None], object)}))
    assert [v.row for v in broken] == [0]


@pytest.mark.parametrize("rule", [{"limit": 1e300}, {"least": -1e300}, {"most": 1e300}, {"limit": 1e30}])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_infinity_is_beyond_every_bound_whatever_type_it_comes_in(rule: dict[str, float], kind: type) -> None:
    """In half precision 1e30 is infinity itself."""
    signature = Signature("regressor", (number("x").with_cells(**rule),), ())
    cells = np.array([[1.0], [math.inf], [-math.inf], [math.nan]], kind)
    refused = refused_rows(signature, {"x": cells}, 4)
    assert refused.tolist() == [False, "least" not in rule, "most" not in rule, False]
