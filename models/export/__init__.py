"""Export Keras models to ONNX with active dropout."""

import os

# Before ONNX Runtime is imported: see `service.runtime.engine`.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from service.extras import needs

with needs("export"):
    from models.export.exporter import STAGES, export_model

__all__ = ["STAGES", "export_model"]
