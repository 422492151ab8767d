"""Unroll recurrent layers whose cells draw: each step of Keras becomes a site of its own."""

from collections.abc import Callable
from typing import Any, Protocol

import keras

from service.errors import ExportError

#: Maximum number of steps to unroll.
MAX_STEPS = 64


class DrawInLoopError(ExportError):
    """A draw in the body of a loop, where a site would draw the same in each iteration."""


class Forgetful(Protocol):
    """A recorder that can remove the sites it recorded last."""

    def mark(self) -> int:
        """The number of sites so far."""

    def forget(self, mark: int) -> None:
        """Remove the sites after a mark."""


def unrolling(rnn: Callable[..., Any], recorder: Forgetful) -> Callable[..., Any]:
    """Keras' `rnn`, unrolled if its loop draws and the number of steps is known."""

    def run(step: Any, inputs: Any, states: Any, *args: Any, **options: Any) -> Any:
        mark = recorder.mark()
        try:
            return rnn(step, inputs, states, *args, **options)
        except DrawInLoopError:
            steps = keras.tree.flatten(inputs)[0].shape[0 if options.get("time_major") else 1]
            if steps is None or steps > MAX_STEPS:
                raise
            recorder.forget(mark)
            return rnn(step, inputs, states, *args, **{**options, "unroll": True})

    return run
