"""Online half: serve artifacts with Monte Carlo dropout. Imports no TensorFlow."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.inference.load import load_model
    from service.inference.predictor import Predictor

__all__ = ["Predictor", "load_model"]


def __getattr__(name: str) -> Any:
    # Lazy, so that the exporter can import `service.manifest` and a client
    # `service.errors` without loading an ONNX runtime.
    if name in __all__:
        from service.extras import needs

        with needs("cpu"):
            from service.inference import load

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
