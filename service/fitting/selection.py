"""A threshold on a measure: which rows to accept, with a guarantee on new rows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from service.errors import FittingError

Array = NDArray[Any]

#: Shares of the rows whose risk is told if none is small enough, so fixed before any data are seen.
_TOLD = (1.0, 0.5, 0.25, 0.125)


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
    at most `target_risk`. This is exact for every N and every measure, and needs only that the rows
    and new ones are independent and from one distribution, and that the target is chosen without
    them.

    It is fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test", section 2.3). From
    each of `starting_ranks` on, one more row is accepted after the other, in the order of doubt,
    as long as the exact binomial test says of each set of accepted rows that its risk is at most
    the target. Each start has an equal part of 1 - `confidence` (Bonferroni), its tests need none:
    to end at a threshold whose risk is too large, they must have passed the first such threshold.

    That the thresholds are values of the rows themselves changes nothing. Let G(t) be the excess
    P(wrong, doubt < t) - target P(doubt < t), and begin at the (m + 1)-th smallest doubt d. If
    G(d) > 0, the m rows below d are, given d, independent and as new rows below it are, so that
    the test of them passes with at most its level. Else d lies in an interval [u, w) with G ≤ 0
    inside and G > 0 from w on, and the rows below w have to pass. Given their number, u ≤ d < w
    says that at most m of them are below u; these are those with the smaller risk, so that there
    are at least as many errors as without that condition, when they are binomial. Equal doubts
    are in random order, which makes them one group at the end: a threshold divides none.

    Args:
        rows: of which nothing else was chosen that `doubt` or `wrong` depend on.
        target_risk: between 0 and 1.
        confidence: between 0 and 1.

    Raises:
        FittingError: no threshold is certain enough; with the least risk that would be.
    """
    starts = starting_ranks(len(rows.wrong), target_risk, confidence)
    level = (1 - confidence) / max(len(starts), 1)
    doubt, errors = _in_order(rows)
    passed = binom.cdf(errors, np.arange(len(errors)), target_risk) <= level
    reached = np.zeros(len(passed), bool)
    for start in starts:
        reached[start:] |= np.logical_and.accumulate(passed[start:])
    whole = np.flatnonzero(reached & np.r_[False, doubt[:-1] < doubt[1:], True])
    if not len(whole):
        raise FittingError(_unreached(errors, target_risk, confidence, level))
    count = int(whole[-1])
    # All that do not reach the doubt of the next row, if there is one.
    at = np.nextafter(doubt[count], -math.inf) if count < len(doubt) else doubt[-1]
    return accepted(rows, float(at))


def starting_ranks(rows: int, target_risk: float, confidence: float) -> tuple[int, ...]:
    """Numbers of rows to begin with: the fewest that could pass, and twice as many, as can be.

    They depend on no values. Few rows may have one error too many by chance, many may be too many.

    Args:
        rows: that there are.
        target_risk, confidence: see `threshold_of_risk`.
    """
    for count in range(rows.bit_length(), 0, -1):
        least = _least(target_risk, (1 - confidence) / count)
        if least << count - 1 <= rows:
            return tuple(least << step for step in range(count))
    return ()


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


def _in_order(rows: Judged) -> tuple[Array, Array]:
    """(N,) doubts, ascending, and (N + 1,) the errors of the first 0, 1, … N rows."""
    order = np.lexsort((np.random.default_rng(len(rows.doubt)).random(len(rows.doubt)), rows.doubt))
    return rows.doubt[order], np.r_[0, np.cumsum(rows.wrong[order])]


def _least(target_risk: float, level: float) -> int:
    """The fewest rows without an error that pass a test."""
    return max(math.ceil(math.log(level) / math.log1p(-target_risk)), 1)


def _unreached(errors: Array, target_risk: float, confidence: float, level: float) -> str:
    rows = len(errors) - 1
    counts = [math.ceil(share * rows) for share in _TOLD]
    each = 1 - (1 - confidence) / len(counts)
    limit, count = min((risk_bound(int(errors[n]), n, each), n) for n in counts)
    return (
        f"no threshold has a risk of at most {target_risk:g} with a confidence of {confidence:g}. "
        f"What these rows show is a risk of at most {limit:.3g}, where {count / rows:.0%} of them "
        f"are accepted ({errors[count]} of {count} wrong). The target takes at least "
        f"{_least(target_risk, level)} accepted rows, if all of them are right. Give more data, a "
        "larger risk or a lower confidence."
    )
