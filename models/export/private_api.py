"""Every private name of TensorFlow and Keras that the exporter replaces or reads.

Nothing else in the project may touch one. A private name can change its
meaning without notice, so only versions that the test suite ran on are
accepted, and others raise an error at import.
"""

from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
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
import keras.src.backend as keras_backend  # noqa: E402
import keras.src.backend.tensorflow.numpy as keras_numpy  # noqa: E402
import keras.src.backend.tensorflow.random as keras_random  # noqa: E402
from keras.src.export.export_utils import get_input_signature  # noqa: E402
from keras.src.layers.preprocessing.image_preprocessing.base_image_preprocessing_layer import (  # noqa: E402
    BaseImagePreprocessingLayer,
)
from keras.src.ops.operation import Operation  # noqa: E402
from tensorflow.python.autograph.core.ag_ctx import ControlStatusCtx, Status  # noqa: E402
from tensorflow.python.autograph.impl.api import tf_convert  # noqa: E402
from tensorflow.python.eager.polymorphic_function.polymorphic_function import (  # noqa: E402
    Function,
)
from tensorflow.python.framework import tensor_util  # noqa: E402
from tensorflow.python.ops import (  # noqa: E402
    gen_random_ops,
    gen_stateful_random_ops,
    gen_stateless_random_ops,
    gen_stateless_random_ops_v2,
    nn_ops,
    script_ops,
)

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


def is_augmentation(layer: keras.layers.Layer) -> bool:
    """Whether the layer is one of Keras' random image augmentations, which inference leaves out."""
    return isinstance(layer, BaseImagePreprocessingLayer)


def draws_for(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Layers whose draws happen in this one's call and not in calls of their own.

    A recurrent layer draws the masks of its cells, and TimeDistributed runs the
    bare `call` of what it wraps.
    """
    cell = getattr(layer, "cell", None)
    if cell is not None:
        return [cell, *getattr(cell, "cells", [])]
    return [layer.layer] if isinstance(layer, keras.layers.TimeDistributed) else []


def input_structure(model: keras.Model) -> Any:
    """Shape and dtype of what the model is called with: a spec, or a list or dict of specs.

    Raises:
        ValueError: the model was never built or called.
    """
    (structure,) = get_input_signature(model)
    return structure


def unsplit_texts(layer: keras.layers.TextVectorization, inputs: Any) -> Any:
    """The texts that a TextVectorization splits, made uniform by Keras' own code."""
    unsplit = SimpleNamespace(_standardize=layer._standardize, _split=None, _ngrams=None)
    return type(layer)._preprocess(unsplit, inputs)


def lookup_of(layer: keras.layers.TextVectorization) -> keras.layers.StringLookup:
    """What a TextVectorization looks words up in."""
    return layer._lookup_layer


def mask_number(layer: keras.layers.StringLookup) -> int:
    """What a lookup gives for its mask token: 0, or what its encodings leave out."""
    return int(layer._mask_value)


def call_inlined(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the Python function inside a tf.function, by way of AutoGraph if that was wished."""
    if not function._autograph:
        return function.python_function(*args, **kwargs)
    # A bound method converts itself, and looks at the context to see whether it may.
    with ControlStatusCtx(Status.ENABLED) as context:
        return tf_convert(function.python_function, context)(*args, **kwargs)


__all__ = [
    # A `tf.function` traced before is reused as it is, with its dropout dead or
    # frozen, so for the time of a trace a call of one runs its Python function.
    "Function",
    # `Operation.__call__` is called by `Layer.__call__` after `training` is
    # resolved and just before the layer's own `call`.
    "Operation",
    "accepts_training",
    "all_layers",
    "call_inlined",
    "draws_for",
    # Where tf.random.uniform, tf.random.normal and their like arrive.
    "gen_random_ops",
    # A tf.random.Generator advances its state by `rng_read_and_skip`.
    "gen_stateful_random_ops",
    # Where stateless categorical and binomial draws arrive.
    "gen_stateless_random_ops",
    # Where keras.random, tf.random.stateless_* and tf.random.Generator arrive.
    "gen_stateless_random_ops_v2",
    "input_structure",
    "is_augmentation",
    # Where recurrent layers ask for a loop over their steps, `rnn`, or for all steps at once,
    # `lstm`.
    "keras_backend",
    # Its `signbit` looks at bits, which ONNX cannot.
    "keras_numpy",
    # Keras draws a seed from a variable before each random op, and so advances
    # the model's own random state. A trace must not.
    "keras_random",
    "lookup_of",
    "mask_number",
    # `nn_ops._dropout` is where keras.random.dropout, tf.nn.dropout and
    # stateless_dropout all arrive, with rate and noise shape still known.
    "nn_ops",
    # `_internal_py_func` is where tf.py_function and tf.numpy_function arrive.
    "script_ops",
    # `constant_value_as_shape` reads the static part of a noise shape.
    "tensor_util",
    "unsplit_texts",
]
