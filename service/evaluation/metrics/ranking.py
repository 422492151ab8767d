"""How well a score finds some rows among others: wrong predictions, or rows out of distribution.

Equal scores count half in the area under the ROC curve, and are found together in the others.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.metrics.statistic import Events, Ranked, Statistic, ratio

Array = NDArray[Any]

#: Share of in-distribution rows that are accepted.
ACCEPTED = 0.95


def auroc(score: Array, wanted: Array) -> Statistic:
    """Area under the ROC curve: P(score of a wanted row > that of another), ties count half.

    The Mann-Whitney statistic (Hanley & McNeil 1982). NaN if all rows are wanted, or none.

    Args:
        score: (N,) that wanted rows should have high.
        wanted: (N,) bool.
    """
    events = Ranked(score).events(wanted)
    return lambda weights: auroc_of(events(weights))


def average_precision(score: Array, wanted: Array) -> Statistic:
    """Area under the precision-recall curve: Σ_k (recall_k - recall_(k-1)) precision_k.

    The estimator of scikit-learn, without interpolation. NaN if no row is wanted.

    Args: see `auroc`.
    """
    events = Ranked(score).events(wanted)
    return lambda weights: average_precision_of(events(weights))


def fpr_at(score: Array, out: Array, accepted: float = ACCEPTED) -> Statistic:
    """Share of rows out of distribution accepted by the least threshold that accepts most others.

    The false positive rate at a true positive rate, in-distribution rows being positive (Liang et
    al. 2018). NaN if all rows are out of distribution, or none.

    Args:
        score: (N,) high out of distribution.
        out: (N,) bool, whether each row is.
        accepted: the share of in-distribution rows that are accepted, at least.
    """
    events = Ranked(score).events(out)
    return lambda weights: fpr_at_of(events(weights), accepted)


def auroc_of(wanted: Events) -> Array:
    """See `auroc`; of the groups with wanted rows."""
    missed = wanted.rows - wanted.sums
    all_wanted = wanted.sums.sum(axis=0)
    below = wanted.before + wanted.rows - np.cumsum(wanted.sums, axis=0)
    pairs = (wanted.sums * (below - missed / 2)).sum(axis=0)
    return ratio(pairs, all_wanted * (wanted.total - all_wanted))


def average_precision_of(wanted: Events) -> Array:
    """See `average_precision` and `auroc_of`."""
    hits = np.cumsum(wanted.sums[::-1], axis=0)[::-1]
    precision = hits / np.maximum(wanted.total - wanted.before, 1)
    return ratio((wanted.sums * precision).sum(axis=0), wanted.sums.sum(axis=0))


def fpr_at_of(out: Events, accepted: float = ACCEPTED) -> Array:
    """See `fpr_at`; of the groups with rows out of distribution."""
    others = np.cumsum(out.sums, axis=0)
    all_others = out.sums.sum(axis=0)
    own, all_own = out.before - (others - out.sums), out.total - all_others
    # The threshold is the first group up to which enough are accepted.
    below = own < all_own * accepted * (1 - 1e-12)
    at = (out.sums * below).sum(axis=0)
    return ratio(np.where(all_own == 0, np.nan, at), all_others)
