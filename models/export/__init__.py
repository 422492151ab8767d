"""Export Keras models to ONNX with their dropout kept alive."""

from models.export.exporter import STAGES, export_model

__all__ = ["STAGES", "export_model"]
