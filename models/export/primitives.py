"""The random primitives of TensorFlow and Keras, and what stands in for each in a trace.

A new kind of random layer needs nothing here if it draws by dropout, by uniform
or by normal numbers, which is what nearly all do. A new kind of *draw* is one
more row in `replaced`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol
from unittest import mock

import tensorflow as tf

from models.export.private_api import (
    Function,
    call_inlined,
    gen_random_ops,
    gen_stateful_random_ops,
    gen_stateless_random_ops_v2,
    keras_random,
    nn_ops,
    script_ops,
)

Tensor = Any  # tf.Tensor; TensorFlow ships no types


class Recorder(Protocol):
    """What takes the place of a draw."""

    def dropout(self, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
        """`x` with elements dropped at `rate`, each draw shared along axes of 1."""

    def drop_all(self, x: Tensor) -> Tensor:
        """`x` at rate 1."""

    def uniform(self, shape: Any, dtype: Any) -> Tensor:
        """Numbers uniform on [0, 1)."""

    def normal(self, shape: Any, dtype: Any) -> Tensor:
        """Standard normal numbers."""

    def seed(self, seed: Any) -> Tensor:
        """(2,) numbers to draw from, in place of Keras' own."""

    def refuse_python(self, *args: Any, **kwargs: Any) -> Tensor:
        """Python code that is to run inside the graph."""


@contextmanager
def replaced(recorder: Recorder) -> Iterator[None]:
    """Let every random primitive ask `recorder`, for the time of the block."""
    keras_dropout = keras_random.dropout

    def dropout(x: Tensor, rate: Any, noise_shape: Any, *_: Any, **__: Any) -> Tensor:
        return recorder.dropout(tf.convert_to_tensor(x), rate, noise_shape)

    def dropout_below_one(x: Tensor, rate: Any, *args: Any, **kwargs: Any) -> Tensor:
        # Keras answers rate 1 with zeros before it asks any random primitive.
        if isinstance(rate, int | float) and rate >= 1:
            return recorder.drop_all(x)
        return keras_dropout(x, rate, *args, **kwargs)

    def stateful(draw: Callable[[Any, Any], Tensor]) -> Callable[..., Tensor]:
        return lambda shape, dtype, *_, **__: draw(shape, dtype)

    def stateless(draw: Callable[[Any, Any], Tensor]) -> Callable[..., Tensor]:
        return lambda shape, key, counter, alg, dtype=tf.float32, name=None: draw(shape, dtype)

    replacements: list[tuple[Any, str, Callable[..., Any]]] = [
        (nn_ops, "_dropout", dropout),
        (keras_random, "dropout", dropout_below_one),
        (gen_random_ops, "random_uniform", stateful(recorder.uniform)),
        (gen_random_ops, "random_standard_normal", stateful(recorder.normal)),
        (gen_stateless_random_ops_v2, "stateless_random_uniform_v2", stateless(recorder.uniform)),
        (gen_stateless_random_ops_v2, "stateless_random_normal_v2", stateless(recorder.normal)),
        # No random state is read or advanced.
        (keras_random, "draw_seed", recorder.seed),
        (gen_stateful_random_ops, "rng_read_and_skip", lambda *_, **__: tf.zeros([3], tf.int64)),
        (Function, "__call__", call_inlined),
        (script_ops, "_internal_py_func", recorder.refuse_python),
    ]
    with ExitStack() as stack:
        for owner, name, replacement in replacements:
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield
