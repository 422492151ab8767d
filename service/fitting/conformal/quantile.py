"""The threshold of a conformal prediction, for any score."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError

Array = NDArray[Any]

#: Decimal coverages are not exact: 0.7 × 10 is below 7.
_ROUNDING = 1e-9
#: A relative increase above the errors of four operations.
_OUTWARDS = 8 * float(np.finfo(np.float64).eps)


def threshold(scores: Array, coverage: float) -> float:
    """The ⌈(N + 1) c⌉-th smallest score.

    If the scores of N rows and of a new one are exchangeable, as those of independent rows from
    one distribution are, the new score is at most that with a probability of at least c, and, if
    no two are equal, of at most c + 1/(N + 1) (Vovk et al. 2005; Lei et al. 2018, theorem 2.2).
    The probability is over the N rows and the new one. Given the N rows, the share of new ones
    that is covered follows a Beta(k, N + 1 - k) distribution with k = ⌈(N + 1) c⌉ (Vovk 2012).

    Args:
        scores: (N,) of rows that chose nothing.
        coverage: c, between 0 and 1.

    Raises:
        InputError: N is too small for this coverage.
    """
    count, needed = len(scores), rows_needed(coverage)
    if count < needed:
        most = math.floor(1000 * count / (count + 1)) / 1000
        raise InputError(
            f"a coverage of {coverage:g} needs at least {needed} rows, and there are {count}. Give "
            f"more data, or a coverage of at most {most:g}."
        )
    rank = _rank(count, coverage)
    return float(np.partition(scores, rank - 1)[rank - 1])


def outwards(found: float) -> float:
    """A threshold of intervals, so much larger that targets that lie on it are inside.

    The ends of an interval are computed from the threshold, and a target whose score is equal to it
    may be outside by rounding. If targets and means are few different numbers, many new ones are.
    """
    return found + _OUTWARDS * abs(found)


def rows_needed(coverage: float) -> int:
    """Minimum number of scores for a coverage: the least N with ⌈(N + 1) c⌉ ≤ N, c / (1 - c)."""
    return max(math.ceil(coverage / (1 - coverage) - _ROUNDING), 1)


def _rank(count: int, coverage: float) -> int:
    return math.ceil((count + 1) * coverage - _ROUNDING)


def cross_fitted(fitted: Array, tried: Array, coverage: float, name: str) -> dict[str, float]:
    """The share of rows that are covered by the threshold of the other half of them.

    Args:
        fitted: (N,) scores, in random order, that choose a threshold.
        tried: (N,) scores of the same rows that are compared with it.
        coverage: see `threshold`.
        name: of the share.

    Returns:
        Empty if a half has too few rows.
    """
    middle = len(fitted) // 2
    first, second = slice(None, middle), slice(middle, None)
    if middle < rows_needed(coverage):
        return {}
    covered = np.r_[
        tried[first] <= threshold(fitted[second], coverage),
        tried[second] <= threshold(fitted[first], coverage),
    ]
    return {name: float(covered.mean())}
