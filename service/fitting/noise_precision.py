"""Noise precision τ of a regression: the inverse variance of the noise of its targets."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from service.errors import InputError

Array = NDArray[Any]

#: The variance of the noise is looked for from so many times the mean squared error …
_LEAST = 1e-6
#: … to so many times that.
_MOST = 4.0
#: Points among which the least is looked for before it is refined: the loss may have two minima.
_POINTS = 60


def fit_noise_precision(errors: Array, variance: Array) -> float:
    """τ of the targets' noise by maximum likelihood.

    The targets are normal around the mean of the passes, with variance `variance` + 1/τ: the
    predictive variance of Gal & Ghahramani 2016, section 4, whose τ follows there from the weight
    decay; here from data.

    Args:
        errors: (N, …) targets minus means over passes.
        variance: (N, …) over passes, of the same.

    Raises:
        InputError: the variance over passes alone is too large for the errors, so that no noise
            is left to fit.
    """
    squared = np.square(errors.astype(np.float64))
    scale = float(squared.mean())
    if scale == 0:
        raise InputError("all targets equal the predictions, so there is no noise to fit.")
    grid = np.linspace(math.log(_LEAST * scale), math.log(_MOST * scale), _POINTS)

    def loss(log_noise: float) -> float:
        return float(normal_nll(errors, variance + math.exp(log_noise)).mean())

    best = int(np.argmin([loss(point) for point in grid]))
    if best == 0:
        raise InputError(
            f"the variance over passes, {float(variance.mean()):.4g} in the mean, is at least the "
            f"mean squared error, {scale:.4g}: no noise is left to fit. A smaller rate scale "
            "may fit."
        )
    bounds = grid[best - 1], grid[min(best + 1, _POINTS - 1)]
    return math.exp(-minimize_scalar(loss, bounds=bounds, method="bounded").x)


def normal_nll(errors: Array, variance: Array) -> Array:
    """(N, …) negative log-density of a normal distribution, in nats.

    Args:
        errors: (N, …) targets minus means.
        variance: (N, …) or a number, of the targets; above 0.
    """
    found: Array = 0.5 * (np.log(2 * np.pi * variance) + np.square(errors) / variance)
    return found
