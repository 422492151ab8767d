"""Calibration of confidences: are predictions of confidence 0.8 right in 80 % of cases?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.metrics.statistic import Distance, Ranked, Statistic, ratio

Array = NDArray[Any]

#: The number of bins of Guo et al. 2017.
BINS = 15


@dataclass(frozen=True, eq=False)
class Binned:
    """Bins of confidences.

    Attributes:
        edges: (K + 1,) ascending.
        index: (N,) of the bin of each row.
    """

    edges: Array
    index: Array

    @property
    def count(self) -> int:
        """K."""
        return len(self.edges) - 1


def equal_width(confidence: Array, bins: int = BINS) -> Binned:
    """Bins of equal width; a confidence on an edge belongs to the bin below.

    Args:
        confidence: (N,) from 0 to 1.
        bins: their number.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    return Binned(edges, np.clip(np.searchsorted(edges, confidence) - 1, 0, bins - 1))


def equal_mass(confidence: Array, bins: int = BINS) -> Binned:
    """Bins of nearly equal numbers of rows (Nixon et al. 2019); equal confidences stay together.

    There are fewer bins if there are fewer different confidences.
    """
    edges = np.quantile(confidence, np.linspace(0.0, 1.0, bins + 1), method="inverted_cdf")
    edges = np.unique(edges)
    if len(edges) == 1:
        edges = edges.repeat(2)
    return Binned(edges, np.clip(np.searchsorted(edges, confidence) - 1, 0, len(edges) - 2))


def ece(confidence: Array, right: Array, bins: int = BINS) -> Statistic:
    """Expected calibration error, Σ_b (n_b / N) |accuracy_b - confidence_b| (Guo et al. 2017).

    In bins of equal width.

    Args:
        confidence: (N,) from 0 to 1.
        right: (N,) whether each prediction is right.
        bins: their number.
    """
    binned = equal_width(confidence, bins)
    inside = binned.index[:, None] == np.arange(bins)
    gaps = np.where(inside, (right - confidence)[:, None], 0.0)
    return Distance(lambda w: ratio(np.abs(w.T @ gaps).sum(axis=1), w.sum(axis=0)))


def adaptive_ece(confidence: Array, right: Array, bins: int = BINS) -> Statistic:
    """The same in bins of equal numbers of rows, which each resample has of its own.

    Args: see `ece`.
    """
    ranked, gap = Ranked(confidence), right - confidence

    def statistic(weights: Array) -> Array:
        # Sums along the rows of an array that is laid out so take a fraction of the time.
        both = (np.ascontiguousarray(y.T) for y in ranked.both(weights, gap))
        count, gaps = (np.cumsum(y, axis=1) for y in both)
        # A bin ends with the first group at which its share of the rows is reached.
        shares = np.arange(1, bins + 1) / bins
        ends = [np.searchsorted(c, c[-1] * shares * (1 - 1e-12)) for c in count]
        at_ends = np.take_along_axis(gaps, np.array(ends), axis=1)
        sums = np.diff(at_ends, axis=1, prepend=0.0)
        return ratio(np.abs(sums).sum(axis=1), count[:, -1])

    return Distance(statistic)


def accuracy_of_bins(binned: Binned, right: Array) -> Statistic:
    """(R, K) share of right predictions in each bin; NaN without rows."""
    inside = (binned.index[:, None] == np.arange(binned.count)).astype(np.float64)
    rights = inside * right[:, None]
    return lambda w: ratio(w.T @ rights, w.T @ inside)


def calibration_curve(pit: Array, levels: Sequence[float]) -> Statistic:
    """(R, L) share of targets below the predicted quantile at each level (Kuleshov et al. 2018).

    Args:
        pit: (N,) predicted probability below each target.
        levels: of the quantiles, L of them.
    """
    below = (pit[:, None] <= np.asarray(levels)).astype(np.float64)
    return lambda w: ratio(w.T @ below, w.sum(axis=0)[:, None])


def calibration_error(pit: Array, levels: Sequence[float]) -> Statistic:
    """Mean distance of the calibration curve from the diagonal; see `calibration_curve`."""
    curve = calibration_curve(pit, levels)
    return Distance(lambda w: np.abs(curve(w) - np.asarray(levels)).mean(axis=1))
