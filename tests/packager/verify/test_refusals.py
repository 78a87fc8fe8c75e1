"""What the original refused becomes a rule, or stops the build."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from converters.spec import Signature, TensorSpec
from packager.errors import ConversionError
from packager.rules import refused_rows, violations
from packager.verify.probes import Probes
from packager.verify.refusals import with_rules

Rows = list[tuple[str, str, Any, bool]]
"""Kind, column, value, refused."""


def text(name: str) -> TensorSpec:
    return TensorSpec(name, "string", ("N", 1), nullable=True, missing="")


def number(name: str) -> TensorSpec:
    return TensorSpec(name, "float64", ("N", 1), nullable=True)


def single(spec: TensorSpec, rows: Rows, known: list[Any] | None = None) -> tuple[Signature, Probes]:
    cells = np.array([*(r[2] for r in rows), None], object)[:-1]
    table = {spec.name: cells if spec.is_text else cells.astype(np.float64)}
    kinds, columns = (np.array([r[i] for r in rows], object) for i in (0, 1))
    refused = {i: "ValueError: no" for i, r in enumerate(rows) if r[3]}
    signature = Signature("regressor", (spec,), (TensorSpec("prediction", "float64", ("N",)),))
    probes = Probes(
        table, kinds, columns, {}, refused, values={spec.name: known} if known else {}, features=(spec.name,)
    )
    return signature, probes


def ruled(spec: TensorSpec, rows: Rows, known: list[Any] | None = None) -> TensorSpec:
    signature, probes = single(spec, rows, known)
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
    rows: Rows = [("example", "", 5.0, False), ("large", "a", 1e6, True), ("large", "a", 1e12, True)]
    with pytest.raises(ConversionError, match=r"no rule can say.*'large'.*column 'a'"):
        with_rules(*single(number("a"), rows))


def test_unseen_text() -> None:
    rows: Rows = [("example", "", "😀", False), ("category", "a", "日本", False), ("unseen", "a", "x", True)]
    assert ruled(text("a"), rows, ["😀", "日本"]).values == ("😀", "日本")


def test_a_known_value_that_is_refused_all_the_same_stops_the_build() -> None:
    rows: Rows = [("example", "", "a", False), ("category", "a", "b", True)]
    with pytest.raises(ConversionError, match=r"no rule can say.*'category'.*column 'a'.*a = 'b'.*ValueError: no"):
        with_rules(*single(text("a"), rows, ["a", "b"]))


def test_unseen_text_without_known_values_stops_the_build() -> None:
    rows: Rows = [("example", "", "a", False), ("unseen", "a", "😀", True)]
    with pytest.raises(ConversionError, match="😀"):
        with_rules(*single(text("a"), rows))


def test_a_rule_that_forbids_an_answered_example_stops_the_build() -> None:
    rows: Rows = [("example", "", math.nan, False), ("missing", "a", math.nan, True)]
    with pytest.raises(ConversionError, match="forbid a row that it answers"):
        with_rules(*single(number("a"), rows))


def test_rules_by_column_of_a_matrix() -> None:
    spec = TensorSpec("X", "float64", ("N", 2), nullable=True)
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
    spec = TensorSpec("X", "float64", ("N", 2), nullable=True, limit=1e6)
    signature = Signature("regressor", (spec,), ())
    assert refused_rows(signature, {"X": np.zeros((0, 2))}, 0).shape == (0,)
    assert list(refused_rows(signature, {"X": np.array([[0, 1e7], [1.0, 1.0]])}, 2)) == [True, False]


@pytest.mark.parametrize("value", ["\uffff"])
def test_the_stand_in_for_missing_text_is_refused_as_text(value: str) -> None:
    spec = TensorSpec("a", "string", ("N", 1), nullable=True, missing=value)
    broken = list(violations(Signature("regressor", (spec,), ()), {"a": np.array([value, "", None], object)}))
    assert [v.row for v in broken] == [0]
