"""How well a score finds some rows among others: wrong predictions, or rows out of distribution.

Equal scores count half in the area under the ROC curve, and are found together in the others.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.evaluation.metrics.statistic import Ranked, Statistic, ratio

Array = NDArray[Any]


def auroc(score: Array, wanted: Array) -> Statistic:
    """Area under the ROC curve: P(score of a wanted row > that of another), ties count half.

    The Mann-Whitney statistic (Hanley & McNeil 1982). NaN if all rows are wanted, or none.

    Args:
        score: (N,) that wanted rows should have high.
        wanted: (N,) bool.
    """
    ranked, others = Ranked(score), ~wanted

    def statistic(weights: Array) -> Array:
        found, missed = ranked.sums(weights, wanted), ranked.sums(weights, others)
        below = np.cumsum(missed, axis=1)
        pairs = (found * (below - missed / 2)).sum(axis=1)
        return ratio(pairs, found.sum(axis=1) * below[:, -1])

    return statistic


def average_precision(score: Array, wanted: Array) -> Statistic:
    """Area under the precision-recall curve: Σ_k (recall_k - recall_(k-1)) precision_k.

    The estimator of scikit-learn, without interpolation. NaN if no row is wanted.

    Args: see `auroc`.
    """
    ranked = Ranked(-score)

    def statistic(weights: Array) -> Array:
        found, flagged = ranked.sums(weights, wanted), ranked.sums(weights)
        hits, rows = np.cumsum(found, axis=1), np.cumsum(flagged, axis=1)
        precision = hits / np.maximum(rows, 1)
        return ratio((found * precision).sum(axis=1), hits[:, -1])

    return statistic


def fpr_at(score: Array, out: Array, accepted: float = 0.95) -> Statistic:
    """Share of rows out of distribution accepted by the least threshold that accepts most others.

    The false positive rate at a true positive rate, in-distribution rows being positive (Liang et
    al. 2018). NaN if all rows are out of distribution, or none.

    Args:
        score: (N,) high out of distribution.
        out: (N,) bool, whether each row is.
        accepted: the share of in-distribution rows that are accepted, at least.
    """
    ranked, inside = Ranked(score), ~out

    def statistic(weights: Array) -> Array:
        own = np.cumsum(ranked.sums(weights, inside), axis=1)
        others = np.cumsum(ranked.sums(weights, out), axis=1)
        enough = own >= own[:, -1:] * accepted * (1 - 1e-12)
        at = np.take_along_axis(others, enough.argmax(axis=1)[:, None], axis=1)[:, 0]
        at[own[:, -1] == 0] = np.nan
        return ratio(at, others[:, -1])

    return statistic
