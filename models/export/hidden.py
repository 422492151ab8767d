"""Detect randomness that TensorFlow does not see, such as NumPy's, which a trace would freeze.

The model is called repeatedly on the same rows, with every draw that the exporter knows
held fixed. Any difference between the outputs then comes from other randomness.
"""

import hashlib
import time
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.export.private_api import all_layers, is_augmentation
from models.export.recorder import Layer, Still
from models.export.trace import Call, Draws, recording
from service.core.tolerances import REPEATED_CALL
from service.errors import ExportError

#: Number of calls that must agree. A layer that is skipped in half of the calls goes undetected
#: with probability 2**-20.
CALLS = 21
#: Further calls are made up to this number, while they take less than this time.
_MAX_CALLS, _SECONDS = 200, 0.2

_KERAS = ("keras.src.layers.", "keras.src.models.")


def require_no_hidden_draws(
    model: keras.Model, call: Call, rows: list[NDArray[Any]], draws: Draws
) -> None:
    """Check that only the known draws are random.

    Models that consist of Keras' own layers are not run, because these draw through Keras only.

    Args:
        model: whose layers are searched for custom code.
        call: `call(training, *tensors)`, the model over flat inputs.
        rows: an array of a few rows for each input.
        draws: the known draws.

    Raises:
        ExportError: a layer gave different outputs; the error names the first.
    """
    if not any(_has_own_code(layer) for layer in [model, *all_layers(model)]):
        return
    tensors = [tf.constant(x) for x in rows]
    for training in (True, False):
        first, started = _witness(call, tensors, draws, training), time.monotonic()
        for number in range(1, _MAX_CALLS):
            if number >= CALLS and time.monotonic() - started > _SECONDS:
                break
            again = _witness(call, tensors, draws, training)
            if not all(map(_same, first.outputs, again.outputs)):
                raise ExportError(
                    f"{_culprit(first, again, model.name)} gives different outputs for the same "
                    f"rows with all dropout held fixed: it draws random numbers that TensorFlow "
                    f"does not see, for example from numpy.random or Python's random, and the "
                    f"exported model would contain one of them as a constant. Draw them with "
                    f"keras.random or tf.random, under `if training:`."
                )


class Witness(Still):
    """Run a model with its draws held fixed, and record the inputs and outputs of each layer.

    Attributes:
        seen: (path, digest of inputs, digest of outputs) of each call, ordered by its end.
        outputs: of the model.
    """

    def __init__(self, draws: Draws) -> None:
        super().__init__(lambda layer, off: id(layer) in draws.stochastic or _may_train(layer))
        self.seen: list[tuple[str, bytes, bytes]] = []
        self.outputs: list[NDArray[Any]] = []

    def call_layer(self, call: Callable[..., Any], layer: Layer, *args: Any, **kwargs: Any) -> Any:
        path = "/".join(part.name for part in [*self._stack[1:], layer])
        outputs = super().call_layer(call, layer, *args, **kwargs)
        self.seen.append((path, _digest((args, kwargs)), _digest(outputs)))
        return outputs


def _witness(call: Call, tensors: list[Any], draws: Draws, training: bool) -> Witness:
    witness = Witness(draws)
    # In training a layer may update its statistics; the scope discards the update.
    with recording(witness), keras.StatelessScope():
        witness.outputs = [np.asarray(value) for value in call(training, *tensors)]
    return witness


def _may_train(layer: Layer) -> bool:
    """Whether a layer may run in training mode.

    Normalizations of Keras may not, because they would hide the scale of their input, and
    augmentation may not, because inference leaves it out.
    """
    inner = bool(layer._flatten_layers(include_self=False, recursive=False))
    return not is_augmentation(layer) and (inner or _has_own_code(layer))


def _has_own_code(layer: Layer) -> bool:
    """Whether the layer runs Python code from outside of Keras, such as a custom activation."""
    if isinstance(layer, keras.layers.Lambda) or not type(layer).__module__.startswith(_KERAS):
        return True
    return any(callable(part) and not _is_known(part) for part in vars(layer).values())


def _is_known(part: Any) -> bool:
    module = getattr(part, "__module__", None) or type(part).__module__
    return module.startswith(("keras.", "tensorflow."))


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    scale = np.max(np.abs(one.astype(np.float64)), initial=0.0, where=np.isfinite(one))
    return bool(np.allclose(one, other, rtol=0.0, atol=REPEATED_CALL * scale, equal_nan=True))


def _digest(values: Any) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for value in keras.tree.flatten(values):
        if tf.is_tensor(value):
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.digest()


def _culprit(first: Witness, again: Witness, model: str) -> str:
    """The innermost layer at which two calls differ."""
    for one, other in zip_longest(first.seen, again.seen, fillvalue=("", b"", b"")):
        if one == other:
            continue
        parts = one[0].split("/")
        if one[:2] != other[:2]:  # the code around the layer behaved differently
            pairs = zip(parts[:-1], other[0].split("/")[:-1], strict=False)
            parts = [a for a, b in pairs if a == b]
        if any(parts):
            return f"layer {'/'.join(parts)!r}"
        break
    return f"model {model!r}"
