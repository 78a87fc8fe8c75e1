"""Graphs of ONNX: the builder, the arithmetic that numpy has, and the kernels that ONNX Runtime lacks."""
