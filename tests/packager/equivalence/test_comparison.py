"""What counts as equal, and what does not: held at the very edge."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.equivalence import comparison
from mlpack_toolkit.packager.equivalence.comparison import LARGEST, Errors, compare, tolerances, worst
from mlpack_toolkit.packager.errors import ConversionError

TIGHT = Tolerance(rtol=1e-5, atol=1e-6)
Array = np.ndarray[Any, Any]


def kinds_of(rows: int) -> Array:
    return np.full(rows, "example", object)


def differs(want: Array, got: Array, allowed: Tolerance | None = TIGHT) -> list[bool]:
    table = {"p": allowed} if allowed else {}
    return list(map(bool, compare({"p": want}, {"p": got}, kinds_of(len(want)), table).differs))


def errors(want: Array, got: Array, allowed: Tolerance = TIGHT) -> Errors:
    return compare({"p": want}, {"p": got}, kinds_of(len(want)), {"p": allowed}).errors["example"]["p"]


any_double = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1.7976931348623157e308]) | st.floats()
matrices = hnp.arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(0, 3)), elements=any_double)


@given(matrices)
def test_everything_equals_itself(values: Array) -> None:
    assert not any(differs(values, values.copy()))
    assert not any(differs(values, values.copy(), Tolerance(0.0, 0.0)))
    rows = len(values)
    assert not rows or errors(values, values.copy()) == Errors(rows, 0)


@given(matrices, st.data())
def test_one_changed_value_is_seen_and_only_there(values: Array, data: st.DataObject) -> None:
    if not values.size:
        return
    row = data.draw(st.integers(0, len(values) - 1))
    column = data.draw(st.integers(0, values.shape[1] - 1))
    old = values[row, column]
    new = data.draw(any_double.filter(lambda v: apart(old, v)))
    changed = values.copy()
    changed[row, column] = new
    assert differs(values, changed) == [i == row for i in range(len(values))]


def apart(want: float, got: float) -> bool:
    """The rule of docs/golden-cases.md, in plain Python."""
    if math.isnan(want) or math.isnan(got):
        return math.isnan(want) != math.isnan(got)
    if math.isinf(want) or math.isinf(got):
        return want != got
    return abs(got - want) > TIGHT.atol + TIGHT.rtol * abs(want)


@given(any_double, any_double)
def test_agrees_with_the_rule_in_the_document(want: float, got: float) -> None:
    assert differs(np.array([want]), np.array([got])) == [apart(want, got)]


@given(st.floats(-1e6, 1e6), st.sampled_from([1e-3, 1e-6]), st.sampled_from([0.0, 1e-5]))
def test_at_the_very_edge(want: float, atol: float, rtol: float) -> None:
    """The last double that is allowed passes; the next one does not."""
    allowed = Tolerance(rtol, atol)
    bound = atol + rtol * abs(want)
    got = want + bound
    while abs(got - want) <= bound:
        got = np.nextafter(got, math.inf)
    inside = np.nextafter(got, -math.inf)
    while abs(inside - want) > bound:
        inside = np.nextafter(inside, -math.inf)
    assert differs(np.array([want]), np.array([got]), allowed) == [True]
    assert differs(np.array([want]), np.array([inside]), allowed) == [False]


@pytest.mark.parametrize(
    ("want", "got", "bad"),
    [
        (math.inf, math.inf, False),
        (math.inf, -math.inf, True),
        (math.inf, 1.7976931348623157e308, True),
        (1.7976931348623157e308, math.inf, True),
        (math.nan, math.nan, False),
        (math.nan, 0.0, True),
        (0.0, math.nan, True),
        (math.nan, math.inf, True),
        (0.0, -0.0, False),
        (1e308, -1e308, True),
    ],
)
def test_what_is_not_finite(want: float, got: float, bad: bool) -> None:
    assert differs(np.array([want]), np.array([got])) == [bad]
    assert differs(np.array([want]), np.array([got]), Tolerance(rtol=10.0, atol=1e300)) == [
        bad and not (math.isfinite(want) and math.isfinite(got))
    ]


@given(st.lists(st.text(max_size=3) | st.none(), min_size=1, max_size=5), st.data())
def test_labels_are_equal_to_the_letter(labels: list[str | None], data: st.DataObject) -> None:
    want = np.array([*labels, None], object)[:-1]
    got = want.copy()
    assert not any(differs(want, got, None))
    row = data.draw(st.integers(0, len(labels) - 1))
    got[row] = data.draw(st.sampled_from(["é", "e\u0301", " "]).filter(lambda v: v != labels[row]))
    assert differs(want, got, None) == [i == row for i in range(len(labels))]


def test_integer_labels_above_2_to_53_are_not_rounded() -> None:
    want, got = np.array([2**53 + 1, 2**63 - 1]), np.array([2**53, 2**63 - 2])
    assert differs(want, got, None) == [True, True]


def test_a_label_of_another_kind_differs() -> None:
    assert differs(np.array([1, 2]), np.array(["1", "2"], object), None) == [True, True]
    assert differs(np.array(["1"], object), np.array([1]), None) == [True]


def test_float_labels_are_held_exactly() -> None:
    want = np.array([1.0, math.nan])
    assert differs(want, want.copy(), None) == [False, False]
    assert differs(want, np.nextafter(want, 9), None) == [True, False]


@pytest.mark.parametrize("shape", [(3,), (3, 2), (2, 1), (4, 1), (3, 1, 1)])
def test_another_shape_differs_everywhere(shape: tuple[int, ...]) -> None:
    want = np.zeros((3, 1))
    assert differs(want, np.zeros(shape)) == [True] * 3
    assert differs(want, np.zeros(shape), None) == [True] * 3
    report = errors(want, np.zeros(shape))
    assert (report.mismatches, report.share) == (3, LARGEST)


def test_ulp_of_the_coarser_type() -> None:
    one = np.array([1.0])
    assert errors(one, np.nextafter(one, 2)).max_ulp == 1.0
    single = np.array([1.0], np.float32)
    assert errors(one, np.nextafter(single, np.float32(2))).max_ulp == 1.0
    assert errors(np.array([1.0]), np.array([1.0 + 3 * 2.0**-52])).max_ulp == 3.0


def test_a_step_of_bfloat16() -> None:
    """Its numbers are held as float32, whose steps are finer."""
    one, next_one = np.ones(1, np.float32), np.full(1, 1 + 2**-7, np.float32)
    found = tolerances(_signature("bfloat16"), {"label": np.zeros(1, int), "prediction": one}, np.ones(1, bool))
    assert errors(one, next_one, found["prediction"]).max_ulp == 1.0
    assert errors(one, next_one).max_ulp == 2**16


def test_largest_errors_by_name() -> None:
    want, got = np.array([100.0, 1.0, 0.0]), np.array([100.5, 1.25, 0.0])
    report = errors(want, got, Tolerance(rtol=0.25, atol=0.25))
    assert (report.max_abs, report.max_rel, report.mismatches) == (0.5, 0.25, 0)
    assert report.share == pytest.approx(0.5)
    assert report.max_ulp == 0.25 / np.spacing(1.0)


@given(any_double, any_double)
def test_reported_errors_are_finite(want: float, got: float) -> None:
    report = errors(np.array([want]), np.array([got]))
    assert all(math.isfinite(v) and v >= 0 for v in report.to_json().values())
    assert (report.share > 1) == bool(report.mismatches)


def test_large_answers_are_compared_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    want = np.arange(20.0).reshape(10, 2)
    got = want.copy()
    got[[2, 9], [1, 0]] += [0.5, 0.25]
    whole = errors(want, got)
    monkeypatch.setattr(comparison, "BLOCK", 6)
    assert errors(want, got) == whole and whole.max_abs == 0.5
    assert differs(want, got) == [row in (2, 9) for row in range(10)]


def test_each_kind_has_its_own_numbers() -> None:
    want, got = np.zeros(4), np.array([0.0, 1.0, 0.0, 3.0])
    kinds = np.array(["a", "a", "b", "c"], object)
    comparison = compare({"p": want}, {"p": got}, kinds, {"p": TIGHT})
    found = {kind: (e["p"].rows, e["p"].mismatches, e["p"].max_abs) for kind, e in comparison.errors.items()}
    assert found == {"a": (2, 1, 1.0), "b": (1, 0, 0.0), "c": (1, 1, 3.0)}
    assert not comparison.equal


def _signature(dtype: str) -> Signature:
    outputs = (TensorSpec("label", "int64", ("N",)), TensorSpec("prediction", dtype, ("N",)))
    return Signature("regressor", (), outputs)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_the_scale_of_atol_is_the_median_of_the_example(values: list[float]) -> None:
    column = np.array([*values, 1e30])
    example = np.array([True] * len(values) + [False])
    want = {"label": np.zeros(len(column), int), "prediction": column}
    found = tolerances(_signature("float32"), want, example)
    assert list(found) == ["prediction"]
    scale = max(1.0, float(f"{np.median(np.abs(values)):.3g}"))
    assert found["prediction"] == Tolerance(rtol=1e-5, atol=1e-6 * scale)


def test_tolerance_goes_by_the_coarser_type() -> None:
    example = np.ones(1, bool)
    single, double = np.ones(1, np.float32), np.ones(1)
    for dtype, values, rtol in (
        ("float64", double, 1e-9),
        ("float64", single, 1e-5),
        ("float32", double, 1e-5),
        ("float32", single, 1e-5),
    ):
        want = {"label": np.zeros(1, int), "prediction": values}
        assert tolerances(_signature(dtype), want, example)["prediction"].rtol == rtol


def test_half_precision_has_a_tolerance_of_its_own() -> None:
    example = np.ones(1, bool)
    for dtype, rtol in (("float16", 2**-10), ("bfloat16", 2**-7)):
        want = {"label": np.zeros(1, int), "prediction": np.ones(1, np.float16)}
        assert tolerances(_signature(dtype), want, example)["prediction"] == Tolerance(rtol, rtol)
    assert differs(np.ones(2), np.array([1.0009, 1.001]), Tolerance(2**-10, 0)) == [False, True]


def test_a_type_without_a_tolerance_is_refused() -> None:
    want = {"label": np.zeros(1, int), "prediction": np.ones(1)}
    with pytest.raises(ConversionError, match="float8, for which there is no tolerance"):
        tolerances(_signature("float8"), want, np.ones(1, bool))


def test_an_output_that_a_part_computes_in_float32_is_held_to_that() -> None:
    want = {"label": np.zeros(1, int), "prediction": np.ones(1)}
    assert tolerances(_signature("float64"), want, np.ones(1, bool), single=["prediction"])["prediction"].rtol == 1e-5


def test_the_users_tolerance_is_taken_as_it_is() -> None:
    want = {"label": np.zeros(1, int), "prediction": np.array([1e6])}
    example = np.ones(1, bool)
    assert tolerances(_signature("float64"), want, example, 0.5, 0.25)["prediction"] == Tolerance(0.5, 0.25)
    assert tolerances(_signature("float64"), want, example, atol=0.0)["prediction"] == Tolerance(1e-9, 0.0)


def test_nan_and_infinity_have_no_say_in_the_scale() -> None:
    want = {"label": np.zeros(3, int), "prediction": np.array([math.nan, math.inf, 50.0])}
    assert tolerances(_signature("float64"), want, np.ones(3, bool))["prediction"].atol == pytest.approx(5e-9)


def test_the_worst_rows_come_from_every_kind() -> None:
    kinds = np.array(["a"] * 6 + ["b"], object)
    want, got = {"p": np.zeros(7)}, {"p": np.array([0, 1, 2, 3, 4, 5, math.inf])}
    shown = worst({"x": np.arange(7), "t": np.array(["😀"] * 7, object)}, want, got, kinds, got["p"] != 0)
    assert [(row["probe"], row["inputs"]["x"]) for row in shown] == [("a", 1), ("b", 6), ("a", 2), ("a", 3), ("a", 4)]
    assert shown[1] == {"probe": "b", "inputs": {"x": 6, "t": "😀"}, "expected": {"p": 0.0}, "got": {"p": "inf"}}


def test_of_a_large_tensor_its_shape_and_first_numbers_are_shown() -> None:
    want, got = {"p": np.zeros((1, 3, 64, 64))}, {"p": np.ones((1, 3, 64, 64))}
    (shown,) = worst({"x": np.zeros((1, 7, 7))}, want, got, np.array(["example"], object), np.array([True]))
    assert shown["got"] == {"p": {"shape": [3, 64, 64], "first": [1.0] * 10}}
    assert shown["inputs"] == {"x": [[0.0] * 7] * 7}
