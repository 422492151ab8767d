"""Losses of predictive distributions of a regression.

A distribution is a mixture of P normal ones, one for each pass, with the noise of the targets; or,
if that is not known, the P means alone.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

Array = NDArray[Any]

_LOG_2PI = math.log(2 * math.pi)


def nll_of_mixture(means: Array, variances: Array, y: Array) -> Array:
    """-log (1/P) Σ_p N(y; μ_p, σ_p²), in nats (Gal & Ghahramani 2016, equation 8).

    Args:
        means: (P, …).
        variances: (P, …) or (1, …), above 0.
        y: (…) targets.

    Returns:
        (…) float64.
    """
    logs = -((y - means) ** 2 / variances + np.log(variances) + _LOG_2PI) / 2
    return np.asarray(math.log(len(means)) - logsumexp(logs, axis=0))


def nll_of_normal(mean: Array, variance: Array, y: Array) -> Array:
    """-log N(y; μ, σ²), in nats; infinite for a variance of 0. All are (…)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = ((y - mean) ** 2 / variance + np.log(variance) + _LOG_2PI) / 2
    return np.where(variance > 0, found, np.inf)


def crps_of_normal(mean: Array, variance: Array, y: Array) -> Array:
    """Continuous ranked probability score of N(μ, σ²), in the unit of y.

    σ (z (2Φ(z) - 1) + 2φ(z) - 1/√π) with z = (y - μ)/σ (Gneiting et al. 2005); without variance
    |y - μ|. All are (…).
    """
    scale = np.sqrt(variance)
    off = np.abs(y - mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = off / scale
        bell = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        found = scale * (z * (2 * ndtr(z) - 1) + 2 * bell - 1 / math.sqrt(math.pi))
    return np.asarray(np.where(scale > 0, found, off))


def crps_of_samples(samples: Array, y: Array) -> Array:
    """The fair estimator of the CRPS from samples: unbiased for any P (Ferro 2014).

    (1/P) Σ_p |x_p - y| - 1/(2P(P - 1)) Σ_pq |x_p - x_q|, the second sum from the order of the
    samples. Of a single sample |x - y|.

    Args:
        samples: (P, …).
        y: (…) targets.

    Returns:
        (…) float64, in the unit of y; may be negative.
    """
    count = len(samples)
    off = np.abs(samples - y).mean(axis=0)
    if count == 1:
        return np.asarray(off)
    ranks = (2 * np.arange(count) - count + 1).reshape(-1, *[1] * (samples.ndim - 1))
    return np.asarray(off - (ranks * np.sort(samples, axis=0)).sum(axis=0) / count / (count - 1))


def pit_of_mixture(means: Array, variances: Array, y: Array) -> Array:
    """(…) predicted probability below the target, (1/P) Σ_p Φ((y - μ_p)/σ_p).

    The probability integral transform, uniform if the prediction is calibrated (Dawid 1984).
    Args: see `nll_of_mixture`.
    """
    return np.asarray(ndtr((y - means) / np.sqrt(variances)).mean(axis=0))


def pit_of_samples(samples: Array, y: Array) -> Array:
    """(…) share of samples below the target; equal ones count half. See `crps_of_samples`."""
    return np.asarray(((samples < y).mean(axis=0) + (samples <= y).mean(axis=0)) / 2)


def inside(low: Array, high: Array, y: Array) -> Array:
    """(…) float64: 1 where the target is in the interval, else 0. All are (…)."""
    return ((low <= y) & (y <= high)).astype(np.float64)


def interval_score(low: Array, high: Array, y: Array, level: float) -> Array:
    """Score of a central interval, in the unit of y (Gneiting & Raftery 2007, equation 43).

    (h - l) + (2/α) max(l - y, 0) + (2/α) max(y - h, 0) with α = 1 - level. All are (…).
    """
    beyond = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return np.asarray(high - low + 2 / (1 - level) * beyond)
