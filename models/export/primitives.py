"""The random primitives of TensorFlow and Keras, and their replacements in a trace.

A new kind of random layer needs no change here if it draws dropout masks, uniform or normal
numbers, as nearly all do. For a new primitive, add a row to `_SITES` if it draws from a
distribution of `service.core.distributions`, or to `composed.COMPOSED` if it can be computed
from these.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NoReturn, Protocol
from unittest import mock

import tensorflow as tf

from models.export.composed import COMPOSED, LimitError
from models.export.private_api import (
    Function,
    call_inlined,
    gen_random_ops,
    gen_stateful_random_ops,
    gen_stateless_random_ops_v2,
    keras_backend,
    keras_random,
    nn_ops,
    script_ops,
)
from models.export.unroll import Forgetful, unrolling

Tensor = Any  # tf.Tensor; TensorFlow ships no types


class Recorder(Forgetful, Protocol):
    """What replaces the draws."""

    def dropout(self, x: Tensor, rate: Any, noise_shape: Any) -> Tensor:
        """`x` with elements dropped at `rate`; each draw is shared along axes of size 1."""

    def known_rate(self, rate: Any) -> float:
        """The value of a dropout rate."""

    def drop_all(self, x: Tensor) -> Tensor:
        """`x` at rate 1."""

    def noise(self, kind: str, shape: Any, dtype: Any) -> Tensor:
        """Numbers of a kind of site other than dropout."""

    def seed(self, seed: Any) -> Tensor:
        """A seed of shape (2,) that replaces the seed of Keras."""

    def refuse_python(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse Python code that would run inside the graph."""

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error whose text is the current layer, followed by `reason`."""


@contextmanager
def replaced(recorder: Recorder) -> Iterator[None]:
    """Redirect every random primitive to `recorder` during the block."""
    keras_dropout = keras_random.dropout

    def dropout(x: Tensor, rate: Any, noise_shape: Any, *_: Any, **__: Any) -> Tensor:
        return recorder.dropout(tf.convert_to_tensor(x), rate, noise_shape)

    def dropout_below_one(x: Tensor, rate: Any, *args: Any, **kwargs: Any) -> Tensor:
        # Keras compares the rate in Python, which fails for a tensor, and returns zeros for
        # rate 1 without calling any random primitive.
        rate = recorder.known_rate(rate)
        return recorder.drop_all(x) if rate >= 1 else keras_dropout(x, rate, *args, **kwargs)

    replacements: list[tuple[Any, str, Callable[..., Any]]] = [
        *(
            (owner, name, _by_name(getattr(owner, name), draw, recorder))
            for owner, name, draw in _draws(recorder)
        ),
        (nn_ops, "_dropout", dropout),
        (keras_random, "dropout", dropout_below_one),
        # Random states are neither read nor advanced.
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


#: Module and name of each primitive, and the kind of site that it draws.
_SITES = (
    (gen_random_ops, "random_uniform", "uniform"),
    (gen_random_ops, "random_standard_normal", "normal"),
    (gen_stateless_random_ops_v2, "stateless_random_uniform_v2", "uniform"),
    (gen_stateless_random_ops_v2, "stateless_random_normal_v2", "normal"),
)


def _draws(recorder: Recorder) -> list[tuple[Any, str, Callable[..., Tensor]]]:
    """Each primitive and its replacement, which takes arguments of the same names."""
    uniform = partial(recorder.noise, "uniform")
    return [
        *((owner, name, partial(recorder.noise, kind)) for owner, name, kind in _SITES),
        *((owner, name, partial(draw, uniform)) for owner, name, draw in COMPOSED),
    ]


def _by_name(
    primitive: Callable[..., Tensor], draw: Callable[..., Tensor], recorder: Recorder
) -> Callable[..., Tensor]:
    """Call `draw` with those arguments of the primitive that it takes, by name."""
    signature, names = inspect.signature(primitive), inspect.signature(draw).parameters

    def drawn(*args: Any, **kwargs: Any) -> Tensor:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        try:
            return draw(**{name: given.arguments[name] for name in names})
        except LimitError as error:
            recorder.refuse(str(error))

    return drawn
