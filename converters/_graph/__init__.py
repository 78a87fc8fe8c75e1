"""Graph building: the builder, numpy's arithmetic as nodes, and kernels that ONNX Runtime lacks."""
