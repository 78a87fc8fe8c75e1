"""The shared words come back from JSON as they went."""

from __future__ import annotations

import json

import pytest

from mlpack_toolkit.converters.spec import Cells, Signature, TensorSpec

TENSORS = (
    TensorSpec("island", "string", ("N", 1), Cells(nullable=True, missing="")),
    TensorSpec("sex", "string", ("N", 1), Cells(nullable=True, missing="\uffff", values=("male", ""))),
    TensorSpec("mass", "float64", ("N", 1), Cells(nullable=True, limit=1e30)),
    TensorSpec("nothing", "float64", ("N", 1), Cells(limit=0.0)),
    TensorSpec("closed", "int64", ("N", 1), Cells(values=())),
    TensorSpec("flag", "bool", ("N", 1), Cells(frame_dtype="category")),
    TensorSpec(
        "X",
        "float64",
        ("N", 2),
        Cells(
            columns=("a", ""),
            features=tuple(TensorSpec(n, "float64", ("N", 1), Cells(nullable=not n, kind="")) for n in ("a", "")),
        ),
    ),
)


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: t.name)
def test_a_tensor_comes_back_from_json(tensor: TensorSpec) -> None:
    assert TensorSpec.from_json(json.loads(json.dumps(tensor.to_json()))) == tensor


def test_a_signature_comes_back_from_json() -> None:
    inputs = tuple(t.with_cells(kind="matrix" if t.name == "X" else "column") for t in TENSORS)
    signature = Signature("classifier", inputs, (TensorSpec("label", "string", ("N",)),), ("é", ""))
    assert Signature.from_json(json.loads(json.dumps(signature.to_json()))) == signature


def test_the_batch_is_a_dimension_on_any_axis_or_none() -> None:
    shapes: dict[tuple[str | int, ...], int | None] = {("N", 3): 0, (2, "N", "P", 4): 1, (): None, (4, 3): None}
    shapes |= {("N", "N"): None, ("T",): None}
    assert {shape: TensorSpec("x", "float32", shape).batch_axis for shape in shapes} == shapes
    cache, scale = TensorSpec("cache", "float16", (2, "N", 4)), TensorSpec("scale", "float16", ())
    assert Signature("graph", (cache, scale), (cache,)).has_rows and not Signature("graph", (scale,), (cache,)).has_rows
    assert not Signature("graph", (cache,), (scale,)).has_rows
    assert Signature("graph", (cache, scale), ()).batch_axes == {"cache": 1, "scale": None}


def test_the_tensors_of_a_graph_have_no_cells() -> None:
    """Format 1 says of each float tensor that it takes NaN."""
    inputs = [{"name": "x", "dtype": "float32", "shape": ["N", 2], "nullable": True}]
    inputs += [{"name": "ids", "dtype": "int64", "shape": ["N"]}]
    read = Signature.from_json({"task": "graph", "inputs": inputs, "outputs": [], "classes": []})
    assert read.inputs == (TensorSpec("x", "float32", ("N", 2)), TensorSpec("ids", "int64", ("N",)))
    assert [t.nullable for t in read.inputs] == [True, False] and read.takes_tensors
    closed = TensorSpec("x", "float32", ("N", 2), Cells(kind="tensor", limit=1e6))
    limited = Signature("graph", (closed,), ())
    assert Signature.from_json(limited.to_json()) == limited and limited.takes_tensors and not closed.nullable
