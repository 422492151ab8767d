"""How many of some trials succeed."""

import math
from typing import Any

import tensorflow as tf

from models.export.composed.base import LimitError, Tensor, Uniform

#: Maximum trials of a binomial draw, each of which takes a number.
MAX_TRIALS = 64


def binomial(uniform: Uniform, shape: Any, counts: Tensor, probs: Tensor, dtype: Any) -> Tensor:
    """How many of `counts` trials succeed, each with probability `probs`.

    Raises:
        LimitError: the counts are not constant, or above `MAX_TRIALS`.
    """
    known = tf.get_static_value(counts)
    if known is None or known.max(initial=0) > MAX_TRIALS:
        raise LimitError(
            "draws binomial numbers of "
            + ("counts that are computed" if known is None else f"{known.max():g} trials")
            + f"; only a constant number of at most {MAX_TRIALS} is supported"
        )
    trials = max(math.ceil(known.max(initial=0)), 1)
    shape = tf.cast(shape, tf.int32)
    drawn = uniform(tf.concat([shape, [trials]], 0), tf.float32)
    counts, probs = (
        tf.broadcast_to(tf.cast(each, tf.float32), shape)[..., None] for each in (counts, probs)
    )
    succeeded = (drawn < probs) & (tf.range(trials, dtype=tf.float32) < counts)
    return tf.reduce_sum(tf.cast(succeeded, dtype), axis=-1)
