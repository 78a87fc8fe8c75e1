"""Golden cases: what goes in comes out, number for number; the text is that of docs/golden-cases.md."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlpack_toolkit.converters.spec import COLUMN, MATRIX, Cells, Signature, Table, TensorSpec
from mlpack_toolkit.packager.bundle.golden import GoldenCase, Half, Tolerance, decode_case, encode_case

TRICKY = [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1, 1e16, 2.0**53 + 2]
HALVES = ("request", "response")
EXTREMES = [-(2**63), 2**63 - 1, 2**53 + 1, 0, -1]

doubles = st.sampled_from(TRICKY) | st.floats()
texts = st.none() | st.sampled_from(["", "😀", "\uffff", "NaN", "null", '"\\\n', "\x7f", "日本"]) | st.text(max_size=8)
rows = st.integers(0, 5)


@st.composite
def columns(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    n, width = draw(rows), draw(st.integers(2, 4))
    shape = draw(st.sampled_from([(n,), (n, width)]))
    kind = draw(st.sampled_from(["f8", "f4", "i8", "u1", "b1", "text"]))
    if kind == "text":
        cells = np.empty(int(np.prod(shape)), object)
        cells[:] = draw(st.lists(texts, min_size=cells.size, max_size=cells.size))
        return cells.reshape(shape)
    elements: Any = None
    if kind == "f8":
        elements = doubles
    if kind == "i8":
        elements = st.sampled_from(EXTREMES) | st.integers(-(2**63), 2**63 - 1)
    return draw(hnp.arrays(np.dtype(kind), shape, elements=elements))


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Bit for bit, but for which NaN a NaN is."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    signs = np.signbit(one) == np.signbit(other)
    return bool(np.array_equal(one, other, equal_nan=True) and (signs | np.isnan(one)).all())


def round_trip(case: GoldenCase) -> GoldenCase:
    files = encode_case(case, "model", "1.0.0", signature_of(case.rows))
    halves = (
        Half(files[f"case-001.{half}.json"], files.get(f"case-001.{half}.bin")) for half in ("request", "response")
    )
    return decode_case(*halves, signature_of(case.rows))


def signature_of(rows: Table) -> Signature:
    """Arrays of one dimension are columns, others matrices."""
    specs = ((n, v, COLUMN if v.ndim == 1 else MATRIX) for n, v in rows.items())
    inputs = tuple(TensorSpec(n, "float64", ("N", *(v.shape[1:] or (1,))), Cells(kind=kind)) for n, v, kind in specs)
    return Signature("regressor", inputs, ())


@given(columns(), columns())
def test_round_trip(asked: np.ndarray[Any, Any], answered: np.ndarray[Any, Any]) -> None:
    back = round_trip(GoldenCase("case-001", "odd", {"a": asked}, {"prediction": answered}))
    assert same(back.rows["a"], asked)
    assert same(back.answers["prediction"], answered)
    assert (back.identifier, back.probe, back.error) == ("case-001", "odd", "")


@given(st.lists(doubles, max_size=6))
@example(TRICKY)
def test_every_double_survives_as_its_shortest_form(values: list[float]) -> None:
    case = GoldenCase("case-001", "odd", {"a": np.array(values, np.float64)}, {})
    data = json.loads(encode_case(case, "m", "1", signature_of(case.rows))["case-001.request.json"])["inputs"][0][
        "data"
    ]
    for value, written in zip(values, data, strict=True):
        if math.isfinite(value):
            assert repr(written) == repr(value)
        else:
            assert written == {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    assert same(round_trip(case).rows["a"], np.array(values, np.float64))


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_refusal_keeps_its_words(words: str, name: str) -> None:
    case = GoldenCase("case-001", "unseen", {name: np.array([1.5])}, {}, error=words or "no")
    back = round_trip(case)
    assert back.error == (words or "no") and not back.answers and list(back.rows) == [name]


def test_the_text_is_that_of_the_document() -> None:
    case = GoldenCase(
        "case-003",
        "missing",
        {"species": np.array(["Adelie", None], object), "mass": np.array([39.1, math.nan])},
        {"label": np.array(["male", "female"], object), "probabilities": np.array([[0.25, 0.75], [0.5, 0.5]])},
        tolerances={"probabilities": Tolerance(rtol=1e-5, atol=1e-6)},
    )
    files = encode_case(case, "penguins", "1.0.0", signature_of(case.rows))
    assert files["case-003.request.json"].decode() == (
        '{"id":"case-003","inputs":[{"data":["Adelie",null],"datatype":"BYTES","name":"species","shape":[2,1]},'
        '{"data":[39.1,"NaN"],"datatype":"FP64","name":"mass","shape":[2,1]}],"parameters":{"probe":"missing"}}\n'
    )
    assert files["case-003.response.json"].decode() == (
        '{"id":"case-003","model_name":"penguins","model_version":"1.0.0",'
        '"outputs":[{"data":["male","female"],"datatype":"BYTES","name":"label","shape":[2]},'
        '{"data":[0.25,0.75,0.5,0.5],"datatype":"FP64","name":"probabilities",'
        '"parameters":{"atol":1e-06,"rtol":1e-05},"shape":[2,2]}]}\n'
    )


def test_a_refusal_is_that_of_the_document() -> None:
    case = GoldenCase("case-007", "unseen", {"a": np.array([1])}, {}, error="no")
    assert (
        encode_case(case, "m", "1", signature_of(case.rows))["case-007.response.json"]
        == b'{"error":"no","id":"case-007"}\n'
    )


def test_tolerances_come_back_with_their_output() -> None:
    answers = {"label": np.array(["a"], object), "probabilities": np.array([[0.5, 0.5]])}
    allowed = {"probabilities": Tolerance(1e-5, 1e-6), "label": Tolerance(1.0, 1.0)}
    back = round_trip(GoldenCase("case-001", "example", {"a": np.array([1])}, answers, tolerances=allowed))
    assert back.tolerances == {"probabilities": Tolerance(1e-5, 1e-6)}


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_matrix_of_one_column_stays_a_matrix(rows: int) -> None:
    matrix = np.arange(float(rows)).reshape(rows, 1)
    back = round_trip(GoldenCase("case-001", "example", {"X": matrix}, {"prediction": matrix[:, 0]}))
    assert back.rows["X"].shape == (rows, 1) and back.answers["prediction"].shape == (rows,)


def test_null_in_a_column_of_numbers_is_nan() -> None:
    request = b'{"id":"a","inputs":[{"name":"n","datatype":"FP64","shape":[2,1],"data":[null,1]}]}'
    found = decode_case(Half(request), Half(b'{"id":"a"}'), signature_of({"n": np.zeros(2)}))
    assert same(found.rows["n"], np.array([math.nan, 1.0]))


@given(columns(), columns())
def test_numbers_beside_the_json_come_back(asked: np.ndarray[Any, Any], answered: np.ndarray[Any, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlpack_toolkit.packager.bundle.golden.MOST_TEXT_BYTES", 0)
        allowed = {"y": Tolerance(1e-5, 1e-6)}
        case = GoldenCase("case-001", "odd", {"a": asked}, {"y": answered}, tolerances=allowed)
        files = encode_case(case, "m", "1", signature_of(case.rows))
        back = round_trip(case)
    assert same(back.rows["a"], asked) and same(back.answers["y"], answered)
    assert back.tolerances == (allowed if answered.dtype.kind == "f" else {})
    assert ("case-001.request.bin" in files) == (asked.dtype.kind != "O")
    assert files.get("case-001.response.bin", answered.tobytes()) == answered.tobytes()


def test_a_large_case_is_small_text_and_raw_numbers() -> None:
    image = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    signature = Signature("graph", (TensorSpec("x", "float32", ("N", 3, 64, 64)),), ())
    files = encode_case(GoldenCase("case-001", "example", {"x": image}, {"y": image[:, 0, 0, 0]}), "m", "1", signature)
    assert sorted(files) == ["case-001.request.bin", "case-001.request.json", "case-001.response.json"]
    assert len(files["case-001.request.json"]) < 200 and len(files["case-001.request.bin"]) == image.nbytes
    half = Half(files["case-001.request.json"], files["case-001.request.bin"])
    body, headers = half.body()
    assert headers["Inference-Header-Content-Length"] == str(len(half.json)) and body == half.json + (half.raw or b"")
