"""The normal distribution, and mixtures of normal distributions."""

import math
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.by_element import by_element
from service.core.ordered_sum import OrderedSum

Array = NDArray[Any]

#: Hart et al. 1968, *Computer Approximations*, algorithm 5666, as in West 2005, "Better
#: approximations to cumulative normal functions": the absolute error is below 1e-15.
_ABOVE = (
    *(3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383),
    *(112.079291497871, 221.213596169931, 220.206867912376),
)
_BELOW = (
    *(8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461),
    *(296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752),
)
#: Beyond so many standard deviations exp(-z²/2) is 0.
_FARTHEST = 39.0
#: Stands for a standard deviation of 0, with a density that does not overflow.
_LEAST_SCALE = 1e-150
#: How far the probability below a quantile may be from its level.
LEVEL_TOLERANCE = 1e-9
#: Steps after which a quantile is as near as it gets.
_STEPS = 300


def cdf_and_bell(z: Array) -> tuple[Array, Array]:
    """(…) float64 probabilities that a standard normal variable is at most z, and exp(-z²/2)."""
    far = np.minimum(np.abs(z), _FARTHEST)
    bell = np.exp(far * far / -2)
    tail = bell * np.polyval(_ABOVE, far) / np.polyval(_BELOW, far)
    return np.where(z > 0, 1 - tail, tail), bell


def mixture_quantile(mean: Array, variance: Array, level: float) -> Array:
    """A quantile of a mixture of P normal distributions of equal weight, elementwise.

    By Newton's method between bounds, which are those of the components' own quantiles, with
    bisection at every fourth step. An element's value does not depend on the other elements.

    Args:
        mean: (P, …), or (1, …) if all are equal.
        variance: the same.
        level: above 0 and below 1.

    Returns:
        (…) float64. The probability of the mixture below it is the level to within
        `LEVEL_TOLERANCE`; where variances are 0 and it jumps, the quantile is as near to the jump
        as float64 tells.
    """
    return by_element(partial(_quantile, level), mean, variance)


def _quantile(level: float, means: Array, variances: Array) -> Array:
    """(m,) quantiles of (P, m) components."""
    means, scales = np.broadcast_arrays(means, np.sqrt(variances))
    ends = means + NormalDist().inv_cdf(level) * scales
    low, high, x = ends.min(axis=0), ends.max(axis=0), np.median(ends, axis=0)
    going = np.flatnonzero(low < high)
    for step in range(_STEPS):
        if not len(going):
            break
        at = x[going]
        below, density = _mixture(means[:, going], scales[:, going], at)
        low[going] = np.where(below < level, at, low[going])
        high[going] = np.where(below > level, at, high[going])
        least, most = low[going], high[going]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = at - (below - level) / density
        inside = (newton > least) & (newton < most) & (step % 4 != 3)
        far = np.abs(below - level) > LEVEL_TOLERANCE
        x[going] = np.where(far, np.where(inside, newton, (least + most) / 2), at)
        going = going[far & (x[going] != at)]
    return x


def _mixture(means: Array, scales: Array, x: Array) -> tuple[Array, Array]:
    """(m,) probability below x, and density there, of (P, m) components."""
    scales = np.maximum(scales, _LEAST_SCALE)
    with np.errstate(over="ignore"):
        below, bell = cdf_and_bell((x - means) / scales)
        density = bell / (math.sqrt(2 * math.pi) * scales)
    both = OrderedSum.zero((2, len(x))).add(np.stack([below, density], axis=1)).value
    return both[0] / len(means), both[1] / len(means)
