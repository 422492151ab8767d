"""Draws that ONNX has no operator for, made of uniform numbers on [0, 1).

Their parameters have the names of TensorFlow's primitives (see `primitives`).
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tensor = Any  # tf.Tensor; TensorFlow ships no types
#: `uniform(shape, dtype)`: numbers uniform on [0, 1), multiples of 2**-24.
Uniform = Callable[[Any, Any], Tensor]

#: Most integers of a draw: each comes as often as another to n · 2**-24, 1 in 256 of this many.
MOST_INTEGERS = 1 << 16
#: Most trials of a binomial draw, each of which takes a number.
MOST_TRIALS = 64


class LimitError(ValueError):
    """A draw is beyond what can be made of uniform numbers; the text follows a layer's name."""


#: Of the polynomial in `_inverse_erf`, the highest power first.
_GILES = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)


def truncated_normal(uniform: Uniform, shape: Any, dtype: Any) -> Tensor:
    """Standard normal numbers between -2 and 2, by the inverse of their distribution function."""
    dtype = tf.as_dtype(dtype)
    drawn = uniform(shape, tf.float64 if dtype == tf.float64 else tf.float32)
    # A number is below x with probability (1 + erf(x / √2) / erf(√2)) / 2.
    central = (2 * drawn - 1) * math.erf(math.sqrt(2))
    return tf.cast(math.sqrt(2) * _inverse_erf(central), dtype)


def _inverse_erf(x: Tensor) -> Tensor:
    """The inverse error function for |x| ≤ 0.99, to 3e-7 (Giles 2012, central branch)."""
    w = -tf.math.log((1 - x) * (1 + x)) - 2.5
    polynomial = tf.constant(_GILES[0], x.dtype)
    for coefficient in _GILES[1:]:
        polynomial = polynomial * w + coefficient
    return polynomial * x


def integers(uniform: Uniform, shape: Any, minval: Tensor, maxval: Tensor) -> Tensor:
    """Integers from `minval` to below `maxval`, of their dtype, each equally likely.

    Raises:
        LimitError: there are more than `MOST_INTEGERS` of them.
    """
    minval = tf.convert_to_tensor(minval)
    span = tf.cast(maxval - minval, tf.float32)
    most = tf.get_static_value(span)
    if most is not None and most > MOST_INTEGERS:
        raise LimitError(f"draws one of {most:.0f} integers, and may draw one of {MOST_INTEGERS}")
    return minval + tf.cast(tf.floor(uniform(shape, tf.float32) * span), minval.dtype)


def categorical(uniform: Uniform, logits: Tensor, num_samples: Any, output_dtype: Any) -> Tensor:
    """(rows, samples) class indices for (rows, classes) logits, by cumulated probabilities."""
    logits = tf.convert_to_tensor(logits)
    edges = tf.cumsum(tf.nn.softmax(tf.cast(logits, tf.float32)), axis=-1)
    drawn = uniform(tf.stack([tf.shape(logits)[0], num_samples]), tf.float32)
    # By the last edge, which rounding leaves near 1: no class beyond it has a probability.
    passed = (drawn * edges[:, -1:])[..., None] >= edges[:, None, :-1]
    return tf.reduce_sum(tf.cast(passed, output_dtype), axis=-1)


def binomial(uniform: Uniform, shape: Any, counts: Tensor, probs: Tensor, dtype: Any) -> Tensor:
    """How many of `counts` trials succeed, each with probability `probs`.

    Raises:
        LimitError: the counts are not constant, or above `MOST_TRIALS`.
    """
    known = tf.get_static_value(counts)
    if known is None or known.max(initial=0) > MOST_TRIALS:
        raise LimitError(
            "draws binomial numbers of "
            + ("counts that are computed" if known is None else f"{known.max():g} trials")
            + f", and may draw them of a constant number of at most {MOST_TRIALS}"
        )
    trials = max(math.ceil(known.max(initial=0)), 1)
    shape = tf.cast(shape, tf.int32)
    drawn = uniform(tf.concat([shape, [trials]], 0), tf.float32)
    counts, probs = (
        tf.broadcast_to(tf.cast(each, tf.float32), shape)[..., None] for each in (counts, probs)
    )
    succeeded = (drawn < probs) & (tf.range(trials, dtype=tf.float32) < counts)
    return tf.reduce_sum(tf.cast(succeeded, dtype), axis=-1)
