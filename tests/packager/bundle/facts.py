"""The least that a manifest says of a bundle, for tests that write one without a model."""

from __future__ import annotations

from typing import Any

TENSOR = {"name": "x", "dtype": "float32", "shape": ["N", 1]}
FACTS: dict[str, Any] = {
    "name": "a",
    "version": "1",
    "mlpack": "0",
    "framework": "onnx",
    "title": "graph",
    "notes": [],
    "source": "model/source/a.onnx",
    "precision": "float32",
    "signature": {"task": "graph", "inputs": [TENSOR], "outputs": [TENSOR], "classes": []},
    "tolerances": {},
    "tolerance_given_by_user": False,
    "allowed": [],
    "environment": {},
}
