"""Keras on TensorFlow: the usual loop, and the fastest variant."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from scripts.benchmark.ways import Array, Call, Kind, Moments, Way, moments


def keras_ways(model: keras.Model) -> list[Way]:
    """Every way of this module."""
    return [
        Way("keras_loop", keras_loop(model), Kind.LOOP),
        Way("tf_function", tf_function(model), Kind.TILED),
    ]


def keras_loop(model: keras.Model) -> Call:
    """Call `model(x, training=True)` once per pass."""

    def call(x: Array, passes: int) -> Moments:
        tensor = tf.constant(x)
        samples = [model(tensor, training=True).numpy() for _ in range(passes)]
        return moments(np.concatenate(samples), passes)

    return call


def tf_function(model: keras.Model) -> Call:
    """One traced `tf.function` that tiles the rows and runs the model on them."""
    shape = model.input_shape[1:]
    signature = [tf.TensorSpec((None, *shape)), tf.TensorSpec((), tf.int32)]

    @tf.function(input_signature=signature, jit_compile=False)  # type: ignore[untyped-decorator]
    def run(x: Any, passes: Any) -> Any:
        return model(tf.tile(x, [passes, *(1 for _ in shape)]), training=True)

    def call(x: Array, passes: int) -> Moments:
        return moments(run(tf.constant(x), tf.constant(passes)).numpy(), passes)

    return call
