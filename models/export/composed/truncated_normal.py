"""Normal numbers that stay within two standard deviations."""

import math
from typing import Any

import tensorflow as tf

from models.export.composed.base import Tensor, Uniform

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
