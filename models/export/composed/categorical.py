"""Classes of given probabilities."""

from typing import Any

import tensorflow as tf

from models.export.composed.base import Tensor, Uniform


def categorical(uniform: Uniform, logits: Tensor, num_samples: Any, output_dtype: Any) -> Tensor:
    """(rows, samples) class indices for (rows, classes) logits, by cumulated probabilities."""
    logits = tf.convert_to_tensor(logits)
    edges = tf.cumsum(tf.nn.softmax(tf.cast(logits, tf.float32)), axis=-1)
    drawn = uniform(tf.stack([tf.shape(logits)[0], num_samples]), tf.float32)
    # By the last edge, which rounding leaves near 1: no class beyond it has a probability.
    passed = (drawn * edges[:, -1:])[..., None] >= edges[:, None, :-1]
    return tf.reduce_sum(tf.cast(passed, output_dtype), axis=-1)
