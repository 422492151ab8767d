"""A threshold on a measure: which rows to accept, with a guarantee on new rows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from service.errors import FittingError

Array = NDArray[Any]

#: Shares of the rows to accept that are tried, so fixed before any data are seen.
SHARES = (1.0, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)


@dataclass(frozen=True)
class Judged:
    """Rows with targets.

    Attributes:
        doubt: (N,) float64: a row is accepted if this is at most the threshold.
        wrong: (N,) bool, whether the prediction is wrong.
    """

    doubt: Array
    wrong: Array


@dataclass(frozen=True)
class Accepted:
    """What a threshold accepts of some rows.

    Attributes:
        threshold: of `Judged.doubt`; itself is accepted.
        rows: number of rows that are accepted.
        errors: number of these that are wrong.
        share: of rows that are accepted.
    """

    threshold: float
    rows: int
    errors: int
    share: float


def threshold_of_risk(rows: Judged, target_risk: float, confidence: float) -> Accepted:
    """The threshold that accepts the most, such that the risk is at most a target.

    The risk of a threshold is the probability that a row is wrong, given that it is accepted. With
    a probability of at least `confidence` over the N rows, the risk of the threshold returned is
    at most `target_risk`. This is exact for every N, and needs only that the rows and new ones are
    independent and from one distribution.

    There is a candidate for each of `SHARES`: it accepts what is below the (m + 1)-th smallest
    doubt. Given that value, the rows below it are independent of each other and as new accepted
    ones are, so that their errors are binomial with the risk of the candidate; the exact binomial
    test says whether the risk is too large. Each test has an equal part of 1 - `confidence`
    (Bonferroni), so that any choice among those that pass is allowed. It is the selection with
    guaranteed risk of Geifman & El-Yaniv 2017, whose binary search divides by its number of steps
    instead, but takes no account of the steps' depending on the data.

    Args:
        rows: of which nothing else was chosen that `doubt` or `wrong` depend on.
        target_risk: between 0 and 1.
        confidence: between 0 and 1.

    Raises:
        FittingError: no threshold is certain enough; with the least risk that would be.
    """
    level = 1 - (1 - confidence) / len(SHARES)
    candidates = [accepted(rows, at) for at in _thresholds(rows.doubt)]
    limits = [risk_bound(found.errors, found.rows, level) for found in candidates]
    passed = (c for c, limit in zip(candidates, limits, strict=True) if limit <= target_risk)
    best = next(passed, None)
    if best is None:
        least = min(zip(limits, candidates, strict=True), key=lambda pair: pair[0])
        raise FittingError(_unreached(*least, target_risk, confidence, level))
    return best


def accepted(rows: Judged, threshold: float) -> Accepted:
    """What a threshold accepts of some rows."""
    kept = rows.doubt <= threshold
    count = int(kept.sum())
    return Accepted(threshold, count, int(rows.wrong[kept].sum()), count / len(kept))


def risk_bound(errors: int, rows: int, confidence: float) -> float:
    """Upper confidence limit of a probability (Clopper & Pearson 1934); 1 for no rows.

    Args:
        errors: that were observed.
        rows: among which.
        confidence: of the limit, one-sided.
    """
    return 1.0 if errors >= rows else float(beta.ppf(confidence, errors + 1, rows - errors))


def _thresholds(doubt: Array) -> list[float]:
    """The largest value below the (m + 1)-th smallest doubt for each of `SHARES`, descending."""
    ascending, count = np.sort(doubt), len(doubt)
    above = [ascending[min(math.ceil(share * count), count - 1)] for share in SHARES]
    return [float(np.nextafter(value, -math.inf)) for value in above]


def _unreached(
    limit: float, best: Accepted, target_risk: float, confidence: float, level: float
) -> str:
    needed = math.ceil(math.log(1 - level) / math.log(1 - target_risk))
    return (
        f"no threshold has a risk of at most {target_risk:g} with a confidence of {confidence:g}. "
        f"The least that can be said is a risk of at most {limit:.3g}, where {best.share:.0%} of "
        f"the rows are accepted ({best.errors} of {best.rows} wrong). The target takes at least "
        f"{needed} accepted rows, if all of them are right. Give more data, a larger risk or a "
        "lower confidence."
    )
