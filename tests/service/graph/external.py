"""Models whose weights are in a file of their own."""

from pathlib import Path

import onnx


def save_apart(model: onnx.ModelProto, path: Path, location: str = "model.data") -> None:
    """Save a model, and all its weights in a file beside it."""
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
