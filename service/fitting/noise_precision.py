"""Noise precision τ of a regression: the inverse variance of the noise of its targets."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from service.evaluation.metrics.regression import nll_of_normal

Array = NDArray[Any]

#: The variance of the noise is looked for from so many times the mean squared error …
_LEAST = 1e-6
#: … to so many times that.
_MOST = 4.0
#: Points among which the least is looked for before it is refined: the loss may have two minima.
_POINTS = 60


def fit_noise_precision(errors: Array, variance: Array) -> float | None:
    """τ of the targets' noise by maximum likelihood.

    The targets are normal around the mean of the passes, with variance `variance` + 1/τ: the
    predictive variance of Gal & Ghahramani 2016, section 4, whose τ follows there from the weight
    decay; here from data.

    Args:
        errors: (N, …) targets minus means over passes.
        variance: (N, …) over passes, of the same.

    Returns:
        In the inverse squared unit of the targets. None: the errors are no larger than the
        variance over passes alone explains, so that no noise is left to fit.
    """
    scale = float(np.square(errors.astype(np.float64)).mean())
    if scale == 0:
        return None
    grid = np.linspace(math.log(_LEAST * scale), math.log(_MOST * scale), _POINTS)

    def loss(log_noise: float) -> float:
        return float(nll_of_normal(np.zeros(1), variance + math.exp(log_noise), errors).mean())

    best = int(np.argmin([loss(point) for point in grid]))
    if best == 0:
        return None
    bounds = grid[best - 1], grid[min(best + 1, _POINTS - 1)]
    return math.exp(-minimize_scalar(loss, bounds=bounds, method="bounded").x)
