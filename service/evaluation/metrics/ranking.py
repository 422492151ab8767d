"""How well a score finds some rows among others: wrong predictions, or rows out of distribution.

Equal scores count half in the area under the ROC curve, and are found together in the others.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.metrics.statistic import Ranked, Statistic, ratio

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
    ranked = Ranked(score)
    return lambda weights: auroc_of(*ranked.both(weights, wanted))


def average_precision(score: Array, wanted: Array) -> Statistic:
    """Area under the precision-recall curve: Σ_k (recall_k - recall_(k-1)) precision_k.

    The estimator of scikit-learn, without interpolation. NaN if no row is wanted.

    Args: see `auroc`.
    """
    ranked = Ranked(score)
    return lambda weights: average_precision_of(*ranked.both(weights, wanted))


def fpr_at(score: Array, out: Array, accepted: float = ACCEPTED) -> Statistic:
    """Share of rows out of distribution accepted by the least threshold that accepts most others.

    The false positive rate at a true positive rate, in-distribution rows being positive (Liang et
    al. 2018). NaN if all rows are out of distribution, or none.

    Args:
        score: (N,) high out of distribution.
        out: (N,) bool, whether each row is.
        accepted: the share of in-distribution rows that are accepted, at least.
    """
    ranked = Ranked(score)
    return lambda weights: fpr_at_of(*ranked.both(weights, out), accepted)


def auroc_of(rows: Array, wanted: Array) -> Array:
    """See `auroc`; of (G, R) numbers of rows and of wanted ones, in ascending order of scores."""
    missed = rows - wanted
    below = np.cumsum(missed, axis=0)
    pairs = (wanted * (below - missed / 2)).sum(axis=0)
    return ratio(pairs, wanted.sum(axis=0) * below[-1])


def average_precision_of(rows: Array, wanted: Array) -> Array:
    """See `average_precision` and `auroc_of`."""
    hits, flagged = (np.cumsum(y[::-1], axis=0)[::-1] for y in (wanted, rows))
    precision = hits / np.maximum(flagged, 1)
    return ratio((wanted * precision).sum(axis=0), hits[0])


def fpr_at_of(rows: Array, out: Array, accepted: float = ACCEPTED) -> Array:
    """See `fpr_at` and `auroc_of`."""
    own, others = np.cumsum(rows - out, axis=0), np.cumsum(out, axis=0)
    enough = own >= own[-1] * accepted * (1 - 1e-12)
    at = np.take_along_axis(others, enough.argmax(axis=0)[None], axis=0)[0]
    return ratio(np.where(own[-1] == 0, np.nan, at), others[-1])
