"""The proof: the cheapest precision that passes, a limit where only huge numbers differ, else the worst rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.packager.equivalence import prove as proof
from mlpack_toolkit.packager.equivalence.probes import Batch, Probes
from mlpack_toolkit.packager.equivalence.prove import Proven, Wanted
from mlpack_toolkit.packager.errors import ConversionError, MismatchError
from tests.artifacts import artifact_of

EDGE = 2.0**24
BOTH = ("float32", "float64")
Array = np.ndarray[Any, Any]


def graph(real: str, output: str, nodes: Callable[[Any], list[Any]], constants: dict[str, float], whole: bool) -> bytes:
    """A graph from `X` `[N, 1]` to one output `[N]`; the nodes end in `last`, `[N, 1]`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kind = getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}[real])
    named = [numpy_helper.from_array(np.array(v, real), name) for name, v in constants.items()]
    named.append(numpy_helper.from_array(np.array([-1]), "flat"))
    body = helper.make_graph(
        [*nodes(helper), helper.make_node("Reshape", ["last", "flat"], [output])],
        "graph",
        [helper.make_tensor_value_info("X", kind, ["N", 1])],
        [helper.make_tensor_value_info(output, TensorProto.INT64 if whole else kind, ["N"])],
        named,
    )
    made: bytes = onnx.helper.make_model(
        body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return made


def above_the_edge(real: str) -> bytes:
    """label = X > 2^24: in float32, 2^24 + 1 is 2^24."""
    from onnx import TensorProto

    return graph(
        real,
        "label",
        lambda h: [
            h.make_node("Greater", ["X", "edge"], ["over"]),
            h.make_node("Cast", ["over"], ["last"], to=TensorProto.INT64),
        ],
        {"edge": EDGE},
        True,
    )


def at_most(top: float) -> Callable[[str], bytes]:
    """prediction = min(X, top)."""

    def convert(real: str) -> bytes:
        return graph(real, "prediction", lambda h: [h.make_node("Min", ["X", "top"], ["last"])], {"top": top}, False)

    return convert


def plus(shift: float) -> Callable[[str], bytes]:
    """prediction = X + shift."""

    def convert(real: str) -> bytes:
        return graph(
            real, "prediction", lambda h: [h.make_node("Add", ["X", "shift"], ["last"])], {"shift": shift}, False
        )

    return convert


def signature(output: str, dtype: str) -> Signature:
    x = TensorSpec("X", "float64", ("N", 1), Cells(nullable=True))
    return Signature("regressor", (x,), (TensorSpec(output, dtype, ("N",)),))


def probes(output: str, want: Callable[[Array], Array], **rows: list[float]) -> Probes:
    values = np.array([v for column in rows.values() for v in column], np.float64).reshape(-1, 1)
    kinds = np.array([kind for kind, column in rows.items() for _ in column], object)
    columns = np.full(len(values), "0", object)
    return Probes({"X": values}, kinds, columns, {output: want(values[:, 0])}, {}, features=("0",))


def labels(**rows: list[float]) -> Probes:
    return probes("label", lambda x: (x > EDGE).astype(np.int64), **rows)


def prove_labels(asked: Probes, wanted: Wanted = Wanted(), precisions: tuple[str, ...] = BOTH) -> Proven:  # noqa: B008
    return prove(above_the_edge, signature("label", "int64"), asked, precisions, wanted)


def prove_numbers(convert: Callable[[str], bytes], wanted: Wanted = Wanted(), **rows: list[float]) -> Proven:  # noqa: B008
    return prove(convert, signature("prediction", "float64"), probes("prediction", lambda x: x, **rows), BOTH, wanted)


def prove(convert: Callable[[str], bytes], *rest: Any) -> Proven:
    return proof.prove(lambda real: artifact_of(convert(real)), *rest)


def test_float32_where_it_passes() -> None:
    proven = prove_labels(labels(example=[1.0, EDGE + 2]))
    assert (proven.precision, proven.report.precision, dict(proven.report.tried)) == ("float32", "float32", {})
    assert proven.signature.inputs[0].dtype == "float32"


def test_float64_where_float32_fails() -> None:
    proven = prove_labels(labels(example=[1.0, EDGE + 2], odd=[EDGE + 1]))
    assert proven.precision == "float64"
    assert (
        dict(proven.report.tried) == {"float32": "1 of 17 probe rows differ"}
        or "differ" in proven.report.tried["float32"]
    )
    assert proven.signature.inputs[0].dtype == "float64"
    assert proven.model.path.read_bytes() == above_the_edge("float64")


def test_a_precision_that_is_asked_for_is_the_only_one_tried() -> None:
    asked = labels(example=[1.0, EDGE + 1])
    with pytest.raises(MismatchError) as caught:
        prove_labels(asked, Wanted("float32"))
    worst = caught.value.facts["worst"]
    assert worst[0]["inputs"] == {"X": [EDGE + 1]}
    assert (worst[0]["expected"], worst[0]["got"], worst[0]["probe"]) == ({"label": 1}, {"label": 0}, "example")
    assert caught.value.facts["verification"]["verdict"] == "different"
    assert caught.value.facts["precision"] == "float32"
    assert "'example'" in str(caught.value)


def test_precisions_of_the_converter_are_kept_to() -> None:
    assert prove_labels(labels(example=[1.0]), precisions=("float64",)).precision == "float64"


def test_a_precision_that_cannot_be_converted_is_passed_over() -> None:
    def convert(real: str) -> bytes:
        if real == "float32":
            raise ConversionError("not in float32")
        return above_the_edge(real)

    proven = prove(convert, signature("label", "int64"), labels(example=[1.0]), BOTH, Wanted())
    assert (proven.precision, dict(proven.report.tried)) == ("float64", {"float32": "not in float32"})


def test_where_none_can_be_converted_the_reason_is_told() -> None:
    def convert(real: str) -> bytes:
        raise ConversionError(f"never in {real}")

    with pytest.raises(ConversionError, match="never in float64"):
        prove(convert, signature("label", "int64"), labels(example=[1.0]), BOTH, Wanted())


@pytest.mark.parametrize(("top", "limit"), [(1e11, 1e6), (1e20, 1e12), (1e35, 1e30)])
def test_the_widest_limit_that_passes(top: float, limit: float) -> None:
    large = [1e6, 1e12, 1e30, 1e39, float("inf"), -1e6, -1e12, -1e30]
    proven = prove_numbers(at_most(top), example=[1.0, 2.0, 1e5], large=large)
    assert proven.signature.inputs[0].limit == limit
    assert proven.report.equal
    assert proven.report.refused == {"large": sum(abs(v) > limit for v in large)}


def test_a_limit_never_takes_the_example_away() -> None:
    with pytest.raises(MismatchError) as caught:
        prove_numbers(at_most(1e11), example=[1.0, 1e9], large=[1e12, 1e30])
    assert caught.value.facts["worst"][0]["probe"] == "large"


def test_no_limit_hides_a_difference_among_small_numbers() -> None:
    with pytest.raises(MismatchError):
        prove_numbers(plus(1.0), example=[1.0, 1e5], large=[1e30])


def test_the_users_tolerance_passes_and_is_recorded() -> None:
    with pytest.raises(MismatchError):
        prove_numbers(plus(0.25), example=[1.0, 2.0])
    proven = prove_numbers(plus(0.25), Wanted(atol=0.5), example=[1.0, 2.0])
    assert proven.report.tolerances == {"prediction": Tolerance(rtol=1e-5, atol=0.5)}
    plain = proven.report.to_json()
    assert plain["tolerance_given_by_user"] is True
    assert plain["tolerances"] == {"prediction": {"rtol": 1e-5, "atol": 0.5}}
    assert prove_numbers(plus(0.0), example=[1.0]).report.to_json()["tolerance_given_by_user"] is False


def test_a_tighter_tolerance_of_the_users_leads_to_float64() -> None:
    proven = prove_numbers(plus(0.0), Wanted(rtol=1e-12, atol=0.0), example=[0.1, 1 / 3])
    assert proven.precision == "float64"


def test_batches_of_no_row_one_row_and_many_in_another_order() -> None:
    report = prove_numbers(plus(0.0), example=[float(i) for i in range(30)]).report
    assert {kind: e["prediction"].rows for kind, e in report.probes.items()} == {
        "example": 30,
        "batch of 1": 12,
        "permuted batch": 4096,
        "batch of 0": 1,
    }
    assert report.rows == 30 + 12 + 4096 + 1
    assert list(report.to_json()["probes"]["example"]["prediction"]) == [
        *("rows", "mismatches", "max_abs", "max_rel", "max_ulp", "share")
    ]


def test_an_answer_that_depends_on_the_batch_is_seen() -> None:
    """prediction = X + (0 where the batch has the rows of all probes, else 1)."""

    def convert(real: str) -> bytes:
        from onnx import TensorProto

        return graph(
            real,
            "prediction",
            lambda h: [
                h.make_node("Shape", ["X"], ["shape"], start=0, end=1),
                h.make_node(
                    "Cast", ["shape"], ["rows"], to=TensorProto.DOUBLE if real == "float64" else TensorProto.FLOAT
                ),
                h.make_node("Equal", ["rows", "count"], ["whole"]),
                h.make_node("Where", ["whole", "nought", "one"], ["shift"]),
                h.make_node("Add", ["X", "shift"], ["last"]),
            ],
            {"count": 20.0, "nought": 0.0, "one": 1.0},
            False,
        )

    with pytest.raises(MismatchError) as caught:
        prove_numbers(convert, example=[float(i) for i in range(20)])
    probes_said = caught.value.facts["verification"]["probes"]
    assert probes_said["example"]["prediction"]["mismatches"] == 0
    assert probes_said["batch of 1"]["prediction"]["mismatches"] == 12


def coarse(shift: float) -> Callable[[str], bytes]:
    """prediction = X + shift in float32, X in float64."""

    def convert(real: str) -> bytes:
        return plus(shift if real == "float32" else 0.0)(real)

    return convert


@pytest.mark.parametrize(("shift", "precision"), [(0.4e-5, "float32"), (0.8e-5, "float64")])
def test_float32_is_taken_with_room_to_spare_only(shift: float, precision: str) -> None:
    proven = prove_numbers(coarse(shift), example=[1.0, 1.5], between=[1.25])
    assert proven.precision == precision
    if precision == "float64":
        assert "of the tolerance used" in proven.report.tried["float32"]
        assert proven.report.tolerance_used == 0.0


def test_rows_that_are_not_ordinary_need_no_room() -> None:
    assert prove_numbers(coarse(0.8e-5), example=[1e4], odd=[1.0]).precision == "float32"


def test_the_last_form_may_use_the_whole_tolerance() -> None:
    asked = probes("prediction", lambda x: x, example=[1.0, 1.5])
    proven = prove(coarse(0.8e-5), signature("prediction", "float64"), asked, ("float32",), Wanted())
    assert proven.precision == "float32" and proven.report.tolerance_used > 0.5
    assert prove_numbers(coarse(0.8e-5), Wanted("float32"), example=[1.0]).precision == "float32"


def test_a_tight_float32_where_float64_fails() -> None:
    def convert(real: str) -> bytes:
        if real == "float64":
            raise ConversionError("not in float64")
        return plus(0.8e-5)(real)

    assert prove_numbers(convert, example=[1.0, 1.5]).precision == "float32"


def _in_batches(alone: float) -> Probes:
    """Two rows of a kind, one of them asked again by itself, where the original says `alone`."""
    asked = probes("prediction", lambda x: x, example=[1.0, 2.0])
    return replace(asked, batches=((1,), (0, 1)), batch_answers={"prediction": np.array([alone, 1.0, 2.0])})


def test_rows_of_a_kind_are_compared_in_their_own_batches() -> None:
    report = prove(plus(0.0), signature("prediction", "float64"), _in_batches(2.0), BOTH, Wanted()).report
    assert report.probes["one of each kind alone"]["prediction"].rows == 1
    assert report.probes["each kind by itself"]["prediction"].rows == 2


def test_an_answer_that_hangs_on_the_batch_is_refused() -> None:
    with pytest.raises(ConversionError, match="depends on the other rows of the batch"):
        prove(plus(0.0), signature("prediction", "float64"), _in_batches(2.5), BOTH, Wanted())


def test_a_graph_that_differs_in_a_batch_of_its_own_differs() -> None:
    asked = replace(_in_batches(2.0), answers={"prediction": np.array([1.0, 2.0])})
    with pytest.raises(MismatchError):
        prove(plus(0.5), signature("prediction", "float64"), asked, BOTH, Wanted())


def whole(kind: str, x: float, y: float) -> Batch:
    return Batch(kind, {"X": np.array([[x]])}, {"prediction": np.array([y])})


@pytest.mark.parametrize(
    ("others", "limit", "nullable"),
    [
        ((), None, True),
        ((whole("1e+30 in X", 1e30, 1e30),), 1e12, True),
        ((whole("nan in X", np.nan, 0.0),), None, False),
        ((whole("1e+30 in X", 1e30, 1e30), whole("nan in X", np.nan, 0.0)), 1e12, False),
        ((Batch("size 0 of T", {"X": np.zeros((0, 1))}, {}, "it stops there"),), None, True),
    ],
)
def test_a_tensor_is_closed_to_what_alone_differs(others: tuple[Batch, ...], limit: Any, nullable: bool) -> None:
    """The graph gives 1e20 at most, and NaN for NaN."""
    tensor = signature("prediction", "float64")
    tensor = replace(tensor, inputs=tuple(replace(t, cells=None) for t in tensor.inputs))
    asked = replace(probes("prediction", lambda x: x, example=[1.0, 2.0]), others=others, axes=tensor.batch_axes)
    proven = prove(lambda real: at_most(1e20)("float64"), tensor, asked, ("float64",), Wanted())
    (found,) = proven.signature.inputs
    assert (found.limit, found.nullable) == (limit, nullable) and proven.signature.takes_tensors
    assert Signature.from_json({**proven.signature.to_json(), "task": "graph"}).inputs == (found,)
    assert sum(proven.report.refused.values()) == len(others) and proven.report.equal
