"""A way is one implementation of the mean and variance of Monte Carlo dropout, or a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Moments = tuple[Array, Array]
#: (B, …) rows and P passes to the mean and variance over passes, (B, K) each; None for a bound,
#: which does only a part of the work.
Call = Callable[[Array, int], Moments | None]


class Kind(Enum):
    """How often a way runs the whole network, and on how many rows."""

    LOOP = "P times, on B"
    TILED = "once, on B·P"
    OTHER = "in another way"


@dataclass(frozen=True)
class Way:
    """One way for one network.

    Attributes:
        name: as in the results.
        call: see `Call`.
        kind: see `Kind`; it determines the warm-up and the memory of a way.
        unavailable: why it cannot run here; empty if it can.
    """

    name: str
    call: Call
    kind: Kind = Kind.OTHER
    unavailable: str = ""


def without(name: str, reason: str) -> Way:
    """A way that cannot run, with the reason."""

    def call(x: Array, passes: int) -> None:
        raise RuntimeError(f"{name} is not available: {reason}")

    return Way(name, call, unavailable=reason)


def tile(x: Array, passes: int) -> Array:
    """(B, …) rows to (P·B, …), ordered by pass."""
    return np.broadcast_to(x, (passes, *x.shape)).reshape(passes * len(x), *x.shape[1:])


def moments(samples: Array, passes: int) -> Moments:
    """Mean and unbiased variance, (B, K) each, of samples (P·B, K) in the order of `tile`."""
    by_pass = samples.reshape(passes, -1, *samples.shape[1:])
    return by_pass.mean(axis=0), by_pass.var(axis=0, ddof=1)


def rows(shape: tuple[int, ...], count: int) -> Array:
    """Standard normal rows (count, *shape) float32, always the same."""
    return np.random.default_rng(0).standard_normal((count, *shape), np.float32)
