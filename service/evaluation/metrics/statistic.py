"""Statistics: functions of how often each row counts."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A metric of N rows that are known to it. Takes (N, R) float64 weights: how often each row counts,
#: in each of R resamples. Returns (R, …) float64; NaN where it is not defined.
Statistic: TypeAlias = Callable[[Array], Array]


def mean(values: Array) -> Statistic:
    """The mean of (N, …) values."""
    flat = values.reshape(len(values), -1).astype(np.float64)

    def statistic(weights: Array) -> Array:
        sums = weights.T @ flat / weights.sum(axis=0)[:, None]
        return np.asarray(sums).reshape(-1, *values.shape[1:])

    return statistic


def root_mean(values: Array) -> Statistic:
    """The square root of the mean of (N, …) values, which are at least 0."""
    inner = mean(values)
    return lambda weights: np.sqrt(inner(weights))


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

    def both(self, weights: Array, values: Array) -> tuple[Array, Array]:
        """(G, R) sums over each group: of the weights, and of those times (N,) values."""
        ordered = weights[self.order]
        each = ordered, ordered * values[self.order, None]
        if len(self.starts) == len(self.order):
            return each
        rows, sums = (np.add.reduceat(one, self.starts, axis=0) for one in each)
        return rows, sums


def means_of_groups(group: Array, values: Array) -> Statistic:
    """(R, G) mean of the values of each group, in ascending order of the groups; NaN without rows.

    Args:
        group: (N,) number of the group of each row.
        values: (N,).
    """
    ranked = Ranked(group)

    def statistic(weights: Array) -> Array:
        rows, sums = ranked.both(weights, values)
        return ratio(sums, rows).T

    return statistic


def ratio(above: Array, below: Array) -> Array:
    """Quotients; NaN where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below)
