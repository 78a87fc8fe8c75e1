"""TensorRT for RTX on NVIDIA's GPUs, a plugin of ONNX Runtime; its engines have float32 without TensorFloat-32."""

from __future__ import annotations

from .spec import Provider

PROVIDER = Provider(
    "tensorrt_rtx",
    "NvTensorRTRTXExecutionProvider",
    "pip install onnxruntime-ep-nv-tensorrt-rtx-cu13",
    plugin="onnxruntime_ep_nv_tensorrt_rtx",
)
