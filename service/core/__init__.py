"""Pure numpy: knows no ONNX and no HTTP."""
