"""OpenVINO on the CPU, in the graph's own types: its default is the processor's fastest, which may be bfloat16."""

from __future__ import annotations

from .spec import Provider

PROVIDER = Provider(
    "openvino",
    "OpenVINOExecutionProvider",
    "pip install onnxruntime-openvino in the place of onnxruntime",
    {"device_type": "CPU", "precision": "ACCURACY"},
)
