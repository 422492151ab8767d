"""Graph transformations from ONNX to ONNX, one per file."""
