"""Small modules at which exporters to ONNX go wrong, each with further inputs at which a wrong graph shows."""
