"""Recurrent layers whose cells draw: Keras draws anew at each step, so each becomes a site."""

from collections.abc import Callable
from typing import Any, Protocol

import keras

from service.errors import ExportError

#: Maximum number of steps to unroll.
MAX_STEPS = 64


class DrawInLoopError(ExportError):
    """A draw in the body of a loop, where a site would draw the same in each iteration."""


class Forgetful(Protocol):
    """A recorder of draws."""

    def mark(self) -> int:
        """Where it is."""

    def forget(self, mark: int) -> None:
        """Go back there."""


def unrolling(rnn: Callable[..., Any], recorder: Forgetful) -> Callable[..., Any]:
    """Keras' `rnn`, which writes the steps out where the loop draws and their number is known."""

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
