"""Risk and coverage: the mean loss of the rows that are accepted, over their share.

Rows are accepted from the most certain on (El-Yaniv & Wiener 2010).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.evaluation.metrics.statistic import Events, Ranked, Statistic, ratio

Array = NDArray[Any]


class RiskCoverage(NamedTuple):
    """The curve.

    Attributes:
        coverage: (G,) share of rows that are accepted, ascending to 1.
        risk: (G,) their mean loss.
    """

    coverage: Array
    risk: Array


def curve(uncertainty: Array, loss: Array) -> RiskCoverage:
    """The risk at each threshold on the uncertainty.

    Args:
        uncertainty: (N,); equal ones are accepted together.
        loss: (N,) of each row.
    """
    sums = Ranked(uncertainty).both(np.ones((len(loss), 1)), loss)
    rows, losses = (np.cumsum(y[:, 0]) for y in sums)
    return RiskCoverage(rows / rows[-1], losses / rows)


def aurc(uncertainty: Array, loss: Array) -> Statistic:
    """Area under the risk-coverage curve: the mean of the risk of the first 1, 2, … N rows.

    Geifman, Uziel & El-Yaniv 2019. Of rows with equal uncertainty every order is equally likely,
    and the mean over all orders is given: after n₀ rows with losses of L₀ altogether, m rows with
    L of them add Σ_(j=1..m) (L₀ + jL/m) / (n₀ + j) = L + (L₀ - n₀L/m) (H(n₀+m) - H(n₀)), with
    the harmonic numbers H. Over all groups Σ L₀ (H(n₀+m) - H(n₀)) = Σ L (H(N) - H(n₀+m)), so that
    groups without a loss add nothing. A row that counts k times is k equal rows.

    Args: see `curve`. Weights are whole numbers.
    """
    events = Ranked(uncertainty).events(loss)
    return lambda weights: aurc_of(events(weights))


def excess_aurc(uncertainty: Array, loss: Array) -> Statistic:
    """AURC above that of the best order, which accepts rows by their loss; see `aurc`."""
    found, best = aurc(uncertainty, loss), aurc(loss, loss)
    return lambda weights: found(weights) - best(weights)


def aurc_of(lost: Events) -> Array:
    """See `aurc`; of the groups with losses."""
    harmonic = _harmonic(int(lost.total.max()))
    ends = (lost.before, lost.before + lost.rows, lost.total)
    before, after, last = (harmonic[count.astype(np.intp)] for count in ends)
    each = lost.sums / np.maximum(lost.rows, 1)
    sums = lost.sums * (1 + last - after) - lost.before * each * (after - before)
    return ratio(sums.sum(axis=0), lost.total)


def _harmonic(count: int) -> Array:
    """(count + 1,) the harmonic numbers from H(0) = 0 on."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1.0, count + 1))])
