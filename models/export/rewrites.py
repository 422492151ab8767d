"""Equivalent replacements for operations that TensorFlow's graphs or ONNX do not take."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from models.export import recurrent, text
from models.export.private_api import keras_backend, keras_numpy

Tensor = Any  # tf.Tensor; TensorFlow ships no types

_TABLE_LOOKUP = tf.lookup.StaticHashTable.lookup


@contextmanager
def rewritten() -> Iterator[None]:
    """Apply the replacements during the block; results stay the same."""
    scope = tf.Graph.name_scope

    def name_scope(graph: Any, name: str | None) -> Any:
        return scope(graph, name and _scope_name(name))

    replacements = [
        (tf.Graph, "name_scope", name_scope),
        (keras_numpy, "signbit", _signbit),
        (tf.lookup.StaticHashTable, "lookup", _lookup),
        (keras_backend, "lstm", recurrent.lstm),
        *_of_text(),
        (keras.layers.LSTM, "inner_loop", recurrent.keeping_jit(keras.layers.LSTM.inner_loop)),
    ]
    with ExitStack() as stack:
        for owner, name, replacement in replacements:
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _of_text() -> list[tuple[Any, str, Any]]:
    vectorization = keras.layers.TextVectorization
    lookups = (keras.layers.StringLookup, keras.layers.IntegerLookup)
    return [
        (vectorization, "call", text.vectorizing(vectorization.call)),
        (lookups[0], "_lookup_dense", text.looking_up(lookups[0]._lookup_dense)),
        *((lookup, "call", text.of_known_depth(lookup.call)) for lookup in lookups),
    ]


def _scope_name(layer: str) -> str:
    """A layer's name with the characters that TensorFlow's graphs do not accept replaced."""
    name = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", layer)
    return name if name[0] == "." or name[0].isalnum() else f".{name}"


def _signbit(x: Tensor) -> Tensor:
    """Whether the sign bit is set, including that of -0.

    Keras, for argmax and argmin, reads the bits, for which ONNX has no operator.
    """
    x = tf.convert_to_tensor(x)
    if not x.dtype.is_floating:
        return tf.cast(x, tf.int32) < 0
    return tf.where(tf.equal(x, 0), 1 / x, x) < 0


def _lookup(table: Any, keys: Tensor, name: str | None = None) -> Tensor:
    """The value of each of (…) keys; for integers, by comparison with every key of the table.

    IntegerLookup calls this. ONNX's table operators are in a domain of their own, with kernels
    for the CPU only, where strings have to be anyway.
    """
    if table.key_dtype == tf.string:
        return _TABLE_LOOKUP(table, keys) if tf.executing_eagerly() else text.look_up(table, keys)
    with tf.init_scope():
        known, values = (np.asarray(part) for part in table.export())
        default = np.asarray(table.default_value)
    found = tf.equal(tf.convert_to_tensor(keys)[..., None], known)
    return default + tf.reduce_sum(tf.where(found, values - default, 0), axis=-1)
