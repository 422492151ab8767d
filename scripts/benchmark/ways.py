"""What a way to the mean and variance is, and what several of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Moments = tuple[Array, Array]
#: (B, …) rows and P passes to the mean and the variance over passes, (B, K) each; or
#: to None, of a way that only shows how fast a part of the work can be.
Call = Callable[[Array, int], Moments | None]


class Kind(Enum):
    """How often a way runs the whole network, and on how many rows."""

    LOOP = "P times, on B"
    TILED = "once, on B·P"
    OTHER = "in another way"


@dataclass(frozen=True)
class Way:
    """One way, or a bound, for one network.

    Attributes:
        name: as in the results.
        call: see `Call`.
        kind: see `Kind`; it decides how a way is warmed up, and its memory.
        unavailable: why it cannot run here; empty where it can.
    """

    name: str
    call: Call
    kind: Kind = Kind.OTHER
    unavailable: str = ""


def without(name: str, reason: str) -> Way:
    """A way that cannot run, and why."""

    def call(x: Array, passes: int) -> None:
        raise RuntimeError(f"{name} is not available: {reason}")

    return Way(name, call, unavailable=reason)


def tile(x: Array, passes: int) -> Array:
    """(B, …) rows to (P·B, …), pass by pass: one copy, in pieces of all rows."""
    return np.broadcast_to(x, (passes, *x.shape)).reshape(passes * len(x), *x.shape[1:])


def moments(samples: Array, passes: int) -> Moments:
    """Mean and unbiased variance, (B, K) each, of samples (P·B, K) in the order of `tile`."""
    by_pass = samples.reshape(passes, -1, *samples.shape[1:])
    return by_pass.mean(axis=0), by_pass.var(axis=0, ddof=1)


def rows(shape: tuple[int, ...], count: int) -> Array:
    """Standard normal rows (count, *shape) float32, always the same."""
    return np.random.default_rng(0).standard_normal((count, *shape), np.float32)
