"""The CPU, which every ONNX Runtime has."""

from __future__ import annotations

from .spec import Provider

PROVIDER = Provider("cpu", "CPUExecutionProvider", "pip install onnxruntime")
