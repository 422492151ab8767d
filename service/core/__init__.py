"""Numerical core, NumPy only: independent of ONNX and HTTP."""
