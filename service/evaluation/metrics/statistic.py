"""Statistics: functions of how often each row counts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: A metric of N rows that are known to it. Takes (N, R) float64 weights: how often each row counts,
#: in each of R resamples. Returns (R, …) float64; NaN where it is not defined.
Statistic: TypeAlias = Callable[[Array], Array]


@dataclass(frozen=True)
class Distance:
    """A statistic that adds up absolute deviations, at least 0: chance makes it larger.

    Deviations that are 0 in truth are not in a sample, so that it is biased upwards, and more so
    the fewer rows there are; it is again in resamples of that sample.

    Attributes:
        of: the statistic.
    """

    of: Statistic

    def __call__(self, weights: Array) -> Array:
        """The statistic itself."""
        return self.of(weights)


def reweighted(statistic: Statistic, weights: Callable[[Array], Array]) -> Statistic:
    """The same of other weights, which are made of those it is given."""

    def found(given: Array) -> Array:
        return statistic(weights(given))

    return Distance(found) if isinstance(statistic, Distance) else found


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


class Events(NamedTuple):
    """Groups of ranked rows whose values are not all 0, in ascending order, in each resample.

    What is made of a ranking often depends on these alone: of the other groups only how many rows
    they have.

    Attributes:
        before: (G, R) rows below the group.
        rows: (G, R) rows of the group.
        sums: (G, R) of their values.
        total: (R,) all rows.
    """

    before: Array
    rows: Array
    sums: Array
    total: Array


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

    def events(self, values: Array) -> Callable[[Array], Events]:
        """What finds the `Events` of (N,) values in (N, R) weights."""
        place = np.flatnonzero(values[self.order])
        group = np.unique(np.searchsorted(self.starts, place, side="right") - 1)
        starts, ends = self.starts[group], np.r_[self.starts, len(self.order)][group + 1]
        # Rows between the groups are added up as one; no part is empty.
        parts = np.unique(np.r_[0, starts, ends[ends < len(self.order)]])
        of_group, first = np.searchsorted(parts, starts), np.searchsorted(place, starts)
        chosen = self.order[place]
        seen = values[chosen, None]

        def found(weights: Array) -> Events:
            sizes = np.add.reduceat(weights[self.order], parts, axis=0)
            after, rows = np.cumsum(sizes, axis=0), sizes[of_group]
            sums = weights[chosen] * seen
            if len(group) != len(place):
                sums = np.add.reduceat(sums, first, axis=0)
            return Events(after[of_group] - rows, rows, sums, after[-1])

        return found


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
