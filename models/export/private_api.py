"""Every private name of TensorFlow and Keras that the exporter replaces or reads.

Nothing else in the project may touch one. A private name can change its
meaning without notice, so only versions that the test suite ran on are
admitted, and any other stops the import.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from service.errors import SetupError

TESTED_VERSIONS = {"keras": {"3.15.1"}, "tensorflow": {"2.21.0"}, "tf2onnx": {"1.17.0"}}


def installed_version(package: str) -> str:
    """Version of an installed package; TensorFlow also as tensorflow-cpu."""
    names = [package, "tensorflow-cpu"] if package == "tensorflow" else [package]
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise SetupError(
        f"{package} is not installed. The exporter needs it: pip install 'mcdropout[export]'."
    )


def require_tested_versions() -> None:
    """Raises SetupError unless each fragile package has a tested version."""
    for package, tested in TESTED_VERSIONS.items():
        found = installed_version(package)
        if found not in tested:
            raise SetupError(
                f"{package} {found} was never tested with this exporter, which replaces private "
                f"functions of it. Install {package}=={' or '.join(sorted(tested))}."
            )


require_tested_versions()

import keras  # noqa: E402
import keras.src.backend.tensorflow.random as keras_random  # noqa: E402
from keras.src.ops.operation import Operation  # noqa: E402
from tensorflow.python.framework import tensor_util  # noqa: E402
from tensorflow.python.ops import nn_ops  # noqa: E402

if keras.backend.backend() != "tensorflow":
    raise SetupError(
        f"Keras runs on its {keras.backend.backend()!r} backend, and the exporter traces "
        "TensorFlow graphs. Set KERAS_BACKEND=tensorflow."
    )


def accepts_training(layer: keras.layers.Layer) -> bool:
    """Whether the layer's `call` takes `training`; Keras keeps the signature privately."""
    return "training" in layer._call_signature.parameters


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer of a model at any depth; the public `layers` stops at the first."""
    return list(model._flatten_layers(include_self=False))


def input_structure(model: keras.Model) -> Any:
    """The model's inputs as it is called with them: a tensor, list or dict.

    The public `model.input` exists only once the model was called.
    """
    structure = getattr(model, "_inputs_struct", None)
    return model.inputs[0] if structure is None else structure


__all__ = [
    # `Operation.__call__` is called by `Layer.__call__` after `training` is
    # resolved and just before the layer's own `call`.
    "Operation",
    "accepts_training",
    "all_layers",
    "input_structure",
    # Keras draws a seed from a variable before each random op, and so advances
    # the model's own random state. A trace must not.
    "keras_random",
    # `nn_ops._dropout` is where keras.random.dropout, tf.nn.dropout and
    # stateless_dropout all arrive, with rate and noise shape still known.
    "nn_ops",
    # `constant_value_as_shape` reads the static part of a noise shape.
    "tensor_util",
]
