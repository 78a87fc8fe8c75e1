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
