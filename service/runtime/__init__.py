"""ONNX Runtime: sessions, devices, memory. The only place that imports it."""
