"""Entropy of class probabilities, which several measures are made of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def as_distribution(probabilities: Array) -> Array:
    """Class probabilities (…, K) with K at least 2.

    A single sigmoid output (…, 1) is the probability of the second of two
    classes (Bernoulli), and becomes (…, 2).
    """
    if probabilities.shape[-1] == 1:
        return np.concatenate([1.0 - probabilities, probabilities], axis=-1)
    return probabilities


def entropy(probabilities: Array) -> Array:
    """Shannon entropy -Σₖ pₖ ln pₖ over the last axis, with 0 ln 0 = 0.

    Args:
        probabilities: (…, K), non-negative.

    Returns:
        (…) float64, between 0 and ln K, in nats.
    """
    p = as_distribution(probabilities.astype(np.float64, copy=False))
    logs = np.log(p, out=np.zeros(p.shape), where=p > 0)
    # A sum of non-positive terms: abs turns -0.0 into 0.0 and changes nothing else.
    total: Array = np.abs((p * logs).sum(axis=-1))
    return total
