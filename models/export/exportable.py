"""Refuses Keras models that no file could represent; with what to change."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from models.export import text
from models.export.interface import Interface
from models.export.private_api import all_layers
from models.export.trace import Draws, inference
from service.errors import ExportError

Array = NDArray[Any]

#: Opsets that tf2onnx writes and whose dropout kernels exist for CPU and CUDA.
OPSETS = (18,)


def require_exportable(model: Any, opset: int) -> None:
    """Check what can be said without running the model.

    Raises:
        ExportError: it is no model of Keras, or the opset or one of its layers is not supported.
    """
    if not isinstance(model, keras.Model):
        raise ExportError(f"{model!r} is not a Keras model.")
    if opset not in OPSETS:
        raise ExportError(f"opset {opset} is not supported; use one of {OPSETS}.")
    text.require_expressible(all_layers(model))
    for layer in all_layers(model):
        if layer.quantization_mode == "float8":
            raise ExportError(
                f"layer {layer.name!r} is quantized to float8, for which ONNX Runtime has no "
                'kernels. Export the model as it was before quantize("float8"), or use '
                'quantize("int8"), which is supported.'
            )


def require_every_dropout(model: keras.Model, draws: Draws) -> None:
    """Check that every dropout layer was called, and that at least one draws.

    Raises:
        ExportError: naming the layers that do not draw.
    """
    met = draws.stochastic | draws.kept_off_ids
    dropouts = [layer for layer in all_layers(model) if 0 < getattr(layer, "rate", 0) < 1]
    missed = [layer.name for layer in dropouts if id(layer) not in met]
    if missed:
        raise ExportError(
            f"the dropout of {', '.join(missed)} draws no random numbers when the model runs with "
            f"training=True, so it cannot be active. Remove these layers, or make sure that the "
            f"model calls them."
        )
    if not draws.stochastic and draws.kept_off:
        raise ExportError(
            f"the model's own code calls {', '.join(draws.kept_off)} with training=False, or "
            "does not use what they give, so Keras drops nothing with training=True either and "
            "the variance would be 0. Let the model call them with training=training."
        )
    if not draws.stochastic:
        raise ExportError(
            f"model {model.name!r} has no dropout, so every pass would give the same answer and "
            "the variance would be 0. Add keras.layers.Dropout(0.1) before the layers whose "
            "uncertainty matters, train the model, and export it again."
        )


def require_any_batch(interface: Interface, rows: Mapping[str, Array], draws: Draws) -> None:
    """Check that a model with a fixed batch size also works with other numbers of rows.

    Raises:
        ExportError: some layer computes with that batch size.
    """
    if interface.batch is None:
        return
    for count in (1, 2, 3):
        tensors = [tf.constant(row[:count]) for row in rows.values()]
        try:
            outputs = inference(interface, tensors, draws)
            answered = all(len(output) == count for output in outputs)
            reason = "" if answered else f"it gives {[len(y) for y in outputs]} rows"
        except (tf.errors.InvalidArgumentError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
        if reason:
            raise ExportError(
                f"the model has a batch size of {interface.batch} built in and takes no other, and "
                f"passes are run by making the batch larger: for {count} rows, {reason}. Build the "
                "model with keras.Input(shape) and no batch size, and let layers that reshape "
                "take -1 for the batch."
            )
