"""Quantiles of Student's t distribution."""

import math
from functools import lru_cache
from statistics import NormalDist

#: Above so many degrees, four terms of the expansion are exact to 1e-7 up to a level of 1e-6.
_MANY = 300


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: int) -> float:
    """The value that t of `freedom` ≥ 1 degrees exceeds with 1 - `probability`.

    From the distribution function, a finite sum for whole degrees (Abramowitz & Stegun 1964,
    26.7.3 and 26.7.4), by bisection; of many degrees by the expansion around the normal quantile
    (26.7.5).

    Args:
        probability: from 0.5 to below 1.
        freedom: degrees of freedom, 1 or more.
    """
    z = NormalDist().inv_cdf(probability)
    if freedom > _MANY:
        one = (z**3 + z) / 4
        two = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        three = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + one / freedom + two / freedom**2 + three / freedom**3
    low, high = 0.0, 1.0
    while _inside(high, freedom) < 2 * probability - 1:
        low, high = high, 2 * high
    while (middle := (low + high) / 2) not in (low, high):
        below = _inside(middle, freedom) < 2 * probability - 1
        low, high = (middle, high) if below else (low, middle)
    return high


def _inside(t: float, freedom: int) -> float:
    """The probability of -t to t."""
    angle = math.atan(t / math.sqrt(freedom))
    square, odd = math.cos(angle) ** 2, freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(2 + odd, freedom + 1, 2):
        total += term
        term *= square * (k - 1) / k
    series = math.sin(angle) * total
    return 2 / math.pi * (angle + series) if odd else series
