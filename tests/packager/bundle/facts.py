"""The least that a manifest says of a bundle, for tests that write one without a model."""

from __future__ import annotations

from typing import Any

TENSOR = {"name": "x", "dtype": "float32", "shape": ["N", 1]}
VARIANT: dict[str, Any] = {
    "artifact": {"format": "onnx", "main": "model/model.onnx", "files": ["model/model.onnx"]},
    "signature": {"task": "graph", "inputs": [TENSOR], "outputs": [TENSOR], "classes": []},
    "weights": "float32",
    "io": "float32",
    "provider": "CPUExecutionProvider",
    "options": {},
    "recipe": {},
    "report": "reports/verification.json",
    "tolerances": {},
    "tolerance_given_by_user": False,
}
FACTS: dict[str, Any] = {
    "name": "a",
    "version": "1",
    "mlpack": "0",
    "notes": [],
    "allowed": [],
    "sources": [{"path": "model/source/a.onnx", "framework": "onnx", "title": "graph", "part": "python"}],
    "parts": [{"name": "python", "language": "python", "environment": {}}],
    "variants": {"reference": VARIANT},
}
