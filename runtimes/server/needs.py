"""The server's requirements besides numpy and onnxruntime."""

from __future__ import annotations

from mlpack_toolkit.converters.needs import Requirement

NEEDS = (
    Requirement("httptools>=0.6.3", "serve"),
    Requirement("orjson>=3.10", "serve"),
    Requirement("uvloop>=0.21", "serve", "serving a bundle"),
    Requirement("pillow>=10", "image-input", "images as input, JPEG and PNG"),
    Requirement("grpcio>=1.71", "grpc", "serving a bundle over gRPC"),
)
