"""What numbers allow to say where the bootstrap alone would say too much.

If every answer of the data is right, every resample says so too, and its interval has no width.
"""

import math

from scipy.stats import norm

from service.evaluation.document import Estimate
from service.evaluation.report.view import Tone


def proportion(estimate: Estimate, rows: float, confidence: float) -> tuple[float, float] | None:
    """The interval of a share, at least as wide as that of Wilson (1927); None if it has none.

    Args:
        rows: of which it is a share.
        confidence: of the interval.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None or rows <= 0:
        return None
    z = _quantile(confidence)
    middle = (estimate.value + z * z / (2 * rows)) / (1 + z * z / rows)
    variance = estimate.value * (1 - estimate.value) / rows + (z / (2 * rows)) ** 2
    half = z * math.sqrt(variance) / (1 + z * z / rows)
    return max(min(estimate.low, middle - half), 0.0), min(max(estimate.high, middle + half), 1.0)


def share_of(estimate: Estimate, rows: float, confidence: float) -> Estimate:
    """The share with that interval; as it is, if it has none."""
    found = proportion(estimate, rows, confidence)
    if found is None:
        return estimate
    return Estimate(value=estimate.value, low=found[0], high=found[1])


def against_chance(auroc: Estimate, groups: tuple[int, int], confidence: float) -> tuple[str, Tone]:
    """Whether an area under a ROC curve differs from 1/2.

    Its interval has to exclude 1/2, and so has the rank-sum test (Mann & Whitney 1947), without
    which one error that happens to be very uncertain would do.

    Args:
        groups: numbers of rows.
        confidence: of the interval and of the test.
    """
    m, n = groups
    if auroc.value is None or auroc.low is None or auroc.high is None or not m * n:
        return "Not known from this data", "open"
    chance = _quantile(confidence) * math.sqrt((m + n + 1) / (12 * m * n))
    if auroc.low > 0.5 and auroc.value - 0.5 > chance:
        return "Yes, better than chance", "yes"
    if auroc.high < 0.5 and 0.5 - auroc.value > chance:
        return "No, worse than chance", "no"
    return "Not shown by this data", "open"


def _quantile(confidence: float) -> float:
    """Of the standard normal distribution, of both sides."""
    return float(norm.ppf((1 + confidence) / 2))
