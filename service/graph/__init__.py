"""ONNX to ONNX, one transformation a file."""
