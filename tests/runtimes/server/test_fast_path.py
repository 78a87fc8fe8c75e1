"""Reading a plain request in one go: what comes out is what the columns make of it, and they refuse nothing of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec
from mlpack_toolkit.runtimes.engine.binary import arrays_of
from mlpack_toolkit.runtimes.engine.columns import Columns
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.fast_path import Feeds, Quick
from mlpack_toolkit.runtimes.server.protocol.rows import table_of_cells
from tests.runtimes.server.conftest import golden

BUNDLES = ("penguin_bundle", "flower_bundle", "crew_bundle")
EDGES = [0.1, 1, 2**24 + 1, 2**53, 2**53 + 1, 2**63, -(2**63), 2**64 - 1, -0.0, 0.0, 1.0, 16777217.0, 1e-46]
EDGES += [1e30, 1.00000001e30, 0.9999999e30, 3.4028235e38, 3.4028236e38, 1e300, 255, 256, -1, 3.5]
cells = (
    st.sampled_from(EDGES)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([None, True, False, "", "a", "b", "\uffff", "NaN", [1.0], {}])
)
bounds = st.none() | st.sampled_from([-1.0, 0.0, 0.1, 1.0, 1e30])
DATATYPES = ["FP64", "FP32", "INT64", "INT32", "UINT8", "INT8", "UINT64", "BOOL", "BYTES", "FP16", "none"]


@st.composite
def specs(draw: st.DrawFn, name: str) -> TensorSpec:
    dtype = draw(st.sampled_from(["float32", "float64", "int64", "int8", "uint64", "bool", "string", "float16"]))
    width = draw(st.sampled_from([1, 1, 2]))
    closed: Any = None
    if dtype == "string":
        closed = draw(st.none() | st.just(("a", "b", "")))
        missing = draw(st.sampled_from(["", "\uffff"]))
        return TensorSpec(
            name, dtype, ("N", width), Cells(nullable=draw(st.booleans()), missing=missing, values=closed)
        )
    if dtype != "bool":
        closed = draw(st.none() | st.just((0.0, 0.1, 1.0)))

    def rule(name: str, shape: tuple[Any, ...], closed: Any) -> TensorSpec:
        limit = draw(st.none() | st.just(1e30)) if dtype.startswith("float") else None
        return TensorSpec(
            name,
            dtype,
            shape,
            Cells(
                nullable=draw(st.booleans()),
                missing=None,
                limit=limit,
                least=draw(bounds),
                most=draw(bounds),
                values=closed,
            ),
        )

    found = rule(name, ("N", width), closed)
    if width == 2 and draw(st.booleans()):
        features = tuple(rule(each, ("N",), closed) for each in "xy")
        found = TensorSpec(name, dtype, ("N", 2), Cells(features=features))
    return found


@st.composite
def tensors(draw: st.DrawFn, spec: TensorSpec, rows: int) -> Any:
    size = rows * spec.width
    plain = {"string": st.sampled_from(["a", "b", "", "\uffff", None]), "bool": st.booleans()}
    likely = plain.get(spec.dtype, st.sampled_from([0, 1, 0.1, 0.5, -1, None, 1e30, 2**53 + 1, 3]) | cells)
    sure = plain.get(spec.dtype, st.sampled_from([0, 1]))
    data = draw(st.lists(draw(st.sampled_from([sure, sure, likely, cells])), min_size=size, max_size=size))
    own = {"string": "BYTES", "bool": "BOOL", "float32": "FP32", "float64": "FP64"}.get(spec.dtype, "INT64")
    datatype = draw(st.sampled_from([own, own, "FP64", *DATATYPES]))
    return {"name": spec.name, "shape": [rows, spec.width], "datatype": datatype, "data": data}


def same(quick: Feeds, slow: dict[str, Any]) -> None:
    assert quick.arrays.keys() == slow.keys()
    for name, values in slow.items():
        mine = quick.arrays[name]
        assert (mine.dtype, mine.shape, len(mine)) == (values.dtype, values.shape, quick.rows)
        assert mine.flags.c_contiguous
        if mine.dtype.kind == "O":
            assert mine.tolist() == values.tolist()
        else:
            assert mine.tobytes() == values.tobytes(), (mine, values)


@given(data=st.data())
@settings(max_examples=1500)
def test_tensors(data: st.DataObject) -> None:
    chosen = tuple(data.draw(specs(name)) for name in data.draw(st.sampled_from(["a", "ab"])))
    signature = Signature("regressor", chosen, ())
    rows = data.draw(st.sampled_from([1, 1, 2, 3, 0]))
    given_ = [data.draw(tensors(spec, rows)) for spec in chosen]
    if data.draw(st.integers(0, 9)) == 0:
        key = data.draw(st.sampled_from(["name", "shape", "datatype", "data", "more"]))
        value = data.draw(st.sampled_from([None, [], {}, "a", 1, [1], [1, 1], [True, 1], [1.0, 1], [-1, -1], [[1]]]))
        given_[0] = {**given_[0], key: value}
    if data.draw(st.booleans()):
        parameters = st.sampled_from(
            [None, {}, {"content_type": "np"}, {"binary_data_size": None}, [], "", {"binary_data_size": 8}]
        )
        given_[0] = {**given_[0], "parameters": data.draw(parameters)}
    request = orjson.loads(orjson.dumps(given_))
    found = Quick(signature).of_tensors(request)
    event("plain" if found else "not plain")
    if found is not None:
        same(found, Columns(signature, signature).feeds(arrays_of(request, None)))


@given(data=st.data())
@settings(max_examples=700)
def test_cells(data: st.DataObject) -> None:
    chosen = tuple(data.draw(specs(name)) for name in data.draw(st.sampled_from(["a", "ab"])))
    signature = Signature("regressor", chosen, ())
    rows = data.draw(st.sampled_from([1, 1, 2, 3]))
    columns: dict[str, Any] = {}
    for spec in chosen:
        flat = data.draw(tensors(spec, rows))["data"]
        columns[spec.name] = flat if spec.width == 1 else [flat[i : i + 2] for i in range(0, len(flat), 2)]
    columns = orjson.loads(orjson.dumps(columns))
    found = Quick(signature).of_cells(columns)
    event("plain" if found else "not plain")
    if found is not None:
        model: Any = type("Rules", (), {"columns": Columns(signature, signature)})
        same(found, model.columns.feeds(table_of_cells(model, columns)))


@pytest.mark.parametrize("name", BUNDLES)
def test_golden_cases_are_plain_and_come_out_the_same(name: str, request: pytest.FixtureRequest) -> None:
    bundle: Path = request.getfixturevalue(name)
    model, plain = Model(describe(bundle)), 0
    for case, want in golden(bundle):
        inputs = json.loads(json.dumps(case["inputs"]))
        found = model.quick.of_tensors(inputs)
        if found is None:
            continue
        plain += 1
        assert "error" not in want
        slow = model.columns.feeds(arrays_of(inputs, None))
        same(found, slow)
        ours, theirs = model.run(found.arrays), model.run(slow)
        assert all(np.array_equal(ours[k], theirs[k], equal_nan=ours[k].dtype.kind == "f") for k in theirs)
        assert model.quick.of_tensors(inputs, found.rows) is not None
        assert found.rows == 1 or model.quick.of_tensors(inputs, found.rows - 1) is None
    assert plain >= 1


def test_what_is_never_plain() -> None:
    one = TensorSpec("a", "float64", ("N", 1))
    tensor = {"name": "a", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}
    assert Quick(Signature("regressor", (one,), ())).of_tensors([tensor]) is not None
    for shape in (("N",), ("N", "M"), (3, 1), ("N", 1, 1), ()):
        other = Signature("regressor", (TensorSpec("a", "float64", shape),), ())
        assert Quick(other).of_tensors([tensor]) is None and Quick(other).of_cells({"a": [1.0]}) is None
    two = Signature("regressor", (one, TensorSpec("b", "float64", ("M", 1))), ())
    assert Quick(two).of_tensors([tensor, {**tensor, "name": "b"}]) is None
    pair = Quick(Signature("regressor", (one, TensorSpec("b", "float64", ("N", 1))), ()))
    assert pair.of_tensors([tensor, tensor]) is None and pair.of_tensors([tensor]) is None
    assert pair.of_tensors([tensor, {**tensor, "name": "b", "shape": [2, 1], "data": [1, 2]}]) is None
    assert pair.of_cells({"a": [1.0], "b": [1.0, 2.0]}) is None
