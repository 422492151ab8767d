"""Every private name of TensorFlow and Keras that the exporter replaces or reads.

No other module may use one. The meaning of a private name can change without notice.
Therefore only versions that the test suite ran on are accepted; others raise an error at
import.
"""

from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import Any

from service.errors import SetupError
from service.extras import how_to_install

TESTED_VERSIONS = {"keras": {"3.15.1"}, "tensorflow": {"2.21.0"}, "tf2onnx": {"1.17.0"}}


def installed_version(package: str) -> str:
    """Version of an installed package; tensorflow-cpu counts as TensorFlow."""
    names = [package, "tensorflow-cpu"] if package == "tensorflow" else [package]
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise SetupError(
        f"{package} is not installed. The exporter needs it: {how_to_install('export')}."
    )


def require_tested_versions() -> None:
    """Check that each package with private names has a tested version.

    Raises:
        SetupError: a package is missing, or its version was not tested.
    """
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
    """Whether the layer's `call` takes `training`; its signature is private in Keras."""
    return "training" in layer._call_signature.parameters


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer of a model at any depth; the public `layers` has the top level only."""
    return list(model._flatten_layers(include_self=False))


def is_augmentation(layer: keras.layers.Layer) -> bool:
    """Whether the layer is a random image augmentation of Keras, which inference skips."""
    return isinstance(layer, BaseImagePreprocessingLayer)


def draws_for(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Layers whose draws happen in the call of this layer and not in calls of their own.

    A recurrent layer draws the masks of its cells, and TimeDistributed runs the bare `call` of
    the layer that it wraps.
    """
    cell = getattr(layer, "cell", None)
    if cell is not None:
        return [cell, *getattr(cell, "cells", [])]
    return [layer.layer] if isinstance(layer, keras.layers.TimeDistributed) else []


def input_structure(model: keras.Model) -> Any:
    """Specs of the model's inputs (shape and dtype): one spec, or a list or dict of them.

    Raises:
        ValueError: the model was never built or called.
    """
    (structure,) = get_input_signature(model)
    return structure


def unsplit_texts(layer: keras.layers.TextVectorization, inputs: Any) -> Any:
    """The texts that a TextVectorization would split, standardized by Keras' own code."""
    unsplit = SimpleNamespace(_standardize=layer._standardize, _split=None, _ngrams=None)
    return type(layer)._preprocess(unsplit, inputs)


def lookup_of(layer: keras.layers.TextVectorization) -> keras.layers.StringLookup:
    """The lookup layer of a TextVectorization."""
    return layer._lookup_layer


def mask_number(layer: keras.layers.StringLookup) -> int:
    """The number of a lookup's mask token: 0, or the index that its encodings leave out."""
    return int(layer._mask_value)


def call_inlined(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the Python function inside a tf.function, with AutoGraph if it was requested."""
    if not function._autograph:
        return function.python_function(*args, **kwargs)
    # A bound method converts itself if the context allows it.
    with ControlStatusCtx(Status.ENABLED) as context:
        return tf_convert(function.python_function, context)(*args, **kwargs)


__all__ = [
    # A `tf.function` that was traced before would be reused with its dropout removed or
    # frozen. Therefore, during a trace, a call of one runs its Python function.
    "Function",
    # `Layer.__call__` calls `Operation.__call__` after `training` is resolved and just
    # before the layer's own `call`.
    "Operation",
    "accepts_training",
    "all_layers",
    "call_inlined",
    "draws_for",
    # Called by tf.random.uniform, tf.random.normal and similar functions.
    "gen_random_ops",
    # A tf.random.Generator advances its state by `rng_read_and_skip`.
    "gen_stateful_random_ops",
    # Called by stateless categorical and binomial draws.
    "gen_stateless_random_ops",
    # Called by keras.random, tf.random.stateless_* and tf.random.Generator.
    "gen_stateless_random_ops_v2",
    "input_structure",
    "is_augmentation",
    # Recurrent layers call `rnn` for a loop over their steps, and `lstm` for all steps at once.
    "keras_backend",
    # Its `signbit` reads bits, which ONNX cannot.
    "keras_numpy",
    # Keras draws a seed from a variable before each random op, which advances the random
    # state of the model. A trace must not change that state.
    "keras_random",
    "lookup_of",
    "mask_number",
    # keras.random.dropout, tf.nn.dropout and stateless_dropout all call
    # `nn_ops._dropout`, where the rate and the noise shape are still known.
    "nn_ops",
    # tf.py_function and tf.numpy_function call `_internal_py_func`.
    "script_ops",
    # `constant_value_as_shape` reads the static part of a noise shape.
    "tensor_util",
    "unsplit_texts",
]
