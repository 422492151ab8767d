"""The random primitives of TensorFlow and Keras, and what stands in for each in a trace.

A new kind of random layer needs nothing here if it draws by dropout, by uniform
or by normal numbers, which is what nearly all do. A new kind of *draw* is one
more row in `replaced`, made of these (see `distributions`).
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NoReturn, Protocol
from unittest import mock

import tensorflow as tf

from models.export import distributions
from models.export.private_api import (
    Function,
    call_inlined,
    gen_random_ops,
    gen_stateful_random_ops,
    gen_stateless_random_ops,
    gen_stateless_random_ops_v2,
    keras_backend,
    keras_random,
    nn_ops,
    script_ops,
)
from models.export.unroll import Forgetful, unrolling

Tensor = Any  # tf.Tensor; TensorFlow ships no types


class Recorder(Forgetful, Protocol):
    """What takes the place of a draw."""

    def dropout(self, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
        """`x` with elements dropped at `rate`, each draw shared along axes of 1."""

    def known_rate(self, rate: Any) -> float:
        """The number behind a drop rate."""

    def drop_all(self, x: Tensor) -> Tensor:
        """`x` at rate 1."""

    def uniform(self, shape: Any, dtype: Any) -> Tensor:
        """Numbers uniform on [0, 1)."""

    def normal(self, shape: Any, dtype: Any) -> Tensor:
        """Standard normal numbers."""

    def seed(self, seed: Any) -> Tensor:
        """(2,) numbers to draw from, in place of Keras' own."""

    def refuse_python(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Python code that is to run inside the graph."""

    def refuse(self, reason: str) -> NoReturn:
        """Raise that the layer being called `reason`."""


@contextmanager
def replaced(recorder: Recorder) -> Iterator[None]:
    """Let every random primitive ask `recorder`, for the time of the block."""
    keras_dropout = keras_random.dropout

    def dropout(x: Tensor, rate: Any, noise_shape: Any, *_: Any, **__: Any) -> Tensor:
        return recorder.dropout(tf.convert_to_tensor(x), rate, noise_shape)

    def dropout_below_one(x: Tensor, rate: Any, *args: Any, **kwargs: Any) -> Tensor:
        # Keras compares the rate in Python, which a tensor cannot be, and answers rate 1
        # with zeros before it asks any random primitive.
        rate = recorder.known_rate(rate)
        return recorder.drop_all(x) if rate >= 1 else keras_dropout(x, rate, *args, **kwargs)

    replacements: list[tuple[Any, str, Callable[..., Any]]] = [
        *(
            (owner, name, _by_name(getattr(owner, name), draw, recorder))
            for owner, name, draw in _draws(recorder)
        ),
        (nn_ops, "_dropout", dropout),
        (keras_random, "dropout", dropout_below_one),
        # No random state is read or advanced.
        (keras_random, "draw_seed", recorder.seed),
        (gen_stateful_random_ops, "rng_read_and_skip", lambda *_, **__: tf.zeros([3], tf.int64)),
        (Function, "__call__", call_inlined),
        (keras_backend, "rnn", unrolling(keras_backend.rnn, recorder)),
        (script_ops, "_internal_py_func", recorder.refuse_python),
    ]
    with ExitStack() as stack:
        for owner, name, replacement in replacements:
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _draws(recorder: Recorder) -> list[tuple[Any, str, Callable[..., Tensor]]]:
    """Each primitive, and what answers it with those of its arguments that have the same name."""
    truncated_normal, integers, categorical, binomial = (
        partial(draw, recorder.uniform)
        for draw in (
            distributions.truncated_normal,
            distributions.integers,
            distributions.categorical,
            distributions.binomial,
        )
    )
    return [
        (gen_random_ops, "random_uniform", recorder.uniform),
        (gen_random_ops, "random_standard_normal", recorder.normal),
        (gen_random_ops, "truncated_normal", truncated_normal),
        (gen_random_ops, "random_uniform_int", integers),
        (gen_random_ops, "multinomial", categorical),
        (gen_stateless_random_ops_v2, "stateless_random_uniform_v2", recorder.uniform),
        (gen_stateless_random_ops_v2, "stateless_random_normal_v2", recorder.normal),
        (gen_stateless_random_ops_v2, "stateless_truncated_normal_v2", truncated_normal),
        (gen_stateless_random_ops_v2, "stateless_random_uniform_int_v2", integers),
        (gen_stateless_random_ops, "stateless_multinomial", categorical),
        (gen_stateless_random_ops, "stateless_random_binomial", binomial),
        (gen_stateful_random_ops, "stateful_random_binomial", binomial),
    ]


def _by_name(
    primitive: Callable[..., Tensor], draw: Callable[..., Tensor], recorder: Recorder
) -> Callable[..., Tensor]:
    """`draw`, called with the primitive's arguments of the names that it takes."""
    signature, names = inspect.signature(primitive), inspect.signature(draw).parameters

    def drawn(*args: Any, **kwargs: Any) -> Tensor:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        try:
            return draw(**{name: given.arguments[name] for name in names})
        except distributions.LimitError as error:
            recorder.refuse(str(error))

    return drawn
