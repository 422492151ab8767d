"""What a draw that is composed of uniform numbers begins with."""

from collections.abc import Callable
from typing import Any

Tensor = Any  # tf.Tensor; TensorFlow ships no types
#: `uniform(shape, dtype)`: numbers uniform on [0, 1), multiples of 2**-24.
Uniform = Callable[[Any, Any], Tensor]


class LimitError(ValueError):
    """A draw is beyond what can be made of uniform numbers; the text follows a layer's name."""
