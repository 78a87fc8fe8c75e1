"""TensorRT on NVIDIA's GPUs, in the graph's own types."""

from __future__ import annotations

from .spec import Provider

PROVIDER = Provider(
    "tensorrt",
    "TensorrtExecutionProvider",
    "pip install onnxruntime-gpu in the place of onnxruntime, and TensorRT 10",
    {"trt_fp16_enable": 0, "trt_int8_enable": 0},
)
