"""Statistics: functions of how often each row counts."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A metric of N rows that are known to it. Takes (R, N) float64 weights: how often each row counts,
#: in each of R resamples. Returns (R, …) float64; NaN where it is not defined.
Statistic: TypeAlias = Callable[[Array], Array]


def mean(values: Array) -> Statistic:
    """The mean of (N, …) values."""
    flat = values.reshape(len(values), -1).astype(np.float64)

    def statistic(weights: Array) -> Array:
        sums = weights @ flat / weights.sum(axis=1, keepdims=True)
        return sums.reshape(len(weights), *values.shape[1:])

    return statistic


def root_mean(values: Array) -> Statistic:
    """The square root of the mean of (N, …) values, which are at least 0."""
    inner = mean(values)
    return lambda weights: np.sqrt(inner(weights))


def difference(one: Statistic, other: Statistic) -> Statistic:
    """One statistic less the other."""
    return lambda weights: one(weights) - other(weights)


class Ranked:
    """Rows in ascending order of a score; those with equal scores are one group.

    Attributes:
        order: (N,) indices of the rows.
        starts: (G,) where each group begins in that order.
    """

    def __init__(self, score: Array) -> None:
        """Rank (N,) scores."""
        self.order: Array = np.argsort(score, kind="stable")
        ordered = score[self.order]
        self.starts: Array = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def sums(self, weights: Array, values: Array | None = None) -> Array:
        """(R, G) sums over each group of weights, times (N,) values if there are any."""
        ordered = weights[:, self.order]
        if values is not None:
            ordered *= values[self.order]
        if len(self.starts) == len(self.order):
            return ordered
        found: Array = np.add.reduceat(ordered, self.starts, axis=1)
        return found


def ratio(above: Array, below: Array) -> Array:
    """(R, …) quotients; NaN where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below)
