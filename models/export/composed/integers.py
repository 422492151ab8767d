"""Whole numbers."""

from typing import Any

import tensorflow as tf

from models.export.composed.base import LimitError, Tensor, Uniform

#: Maximum integers of a draw. Probabilities differ by n · 2**-24, 1 in 256 for this number.
MAX_INTEGERS = 1 << 16


def integers(uniform: Uniform, shape: Any, minval: Tensor, maxval: Tensor) -> Tensor:
    """Integers from `minval` to below `maxval`, of their dtype, each equally likely.

    Raises:
        LimitError: there are more than `MAX_INTEGERS` of them.
    """
    minval = tf.convert_to_tensor(minval)
    span = tf.cast(maxval - minval, tf.float32)
    count = tf.get_static_value(span)
    if count is not None and count > MAX_INTEGERS:
        raise LimitError(f"draws one of {count:.0f} integers; at most {MAX_INTEGERS} are supported")
    return minval + tf.cast(tf.floor(uniform(shape, tf.float32) * span), minval.dtype)
