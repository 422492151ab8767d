"""Types for draws that are computed from uniform numbers."""

from collections.abc import Callable
from typing import Any

Tensor = Any  # tf.Tensor; TensorFlow ships no types
#: `uniform(shape, dtype)`: numbers uniform on [0, 1), multiples of 2**-24.
Uniform = Callable[[Any, Any], Tensor]


class LimitError(ValueError):
    """A draw is not supported; the text follows the layer's name."""
