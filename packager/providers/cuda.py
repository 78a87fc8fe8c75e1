"""NVIDIA's GPUs. TensorFloat-32 is off: it is on by default, and rounds the products of float32 to 10 bits."""

from __future__ import annotations

from .spec import InImage, Provider

PROVIDER = Provider(
    "cuda",
    "CUDAExecutionProvider",
    "pip install onnxruntime-gpu in the place of onnxruntime",
    {"use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC"},
    in_image=InImage(
        "onnxruntime-gpu",
        "[cuda,cudnn]",
        "nvidia-",
        "nvidia/*/lib",
        {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"},
    ),
)
