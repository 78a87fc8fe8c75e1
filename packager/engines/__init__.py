"""Engines of TensorRT: recipe, the process that makes them, ONNX Runtime's file beside them, the card they fit."""
