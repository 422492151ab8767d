"""Uncertainty measures over passes, in nats where they are entropies."""

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
        (…) float64, between 0 and ln K.
    """
    p = as_distribution(probabilities.astype(np.float64, copy=False))
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    # A sum of non-positive terms: abs turns -0.0 into 0.0 and changes nothing else.
    total: Array = np.abs(np.sum(p * logs, axis=-1))
    return total


def predictive_entropy(mean: Array) -> Array:
    """Entropy of the mean prediction: total uncertainty.

    H[E_p p(y|x, w_p)] (Gal 2016, *Uncertainty in Deep Learning*, eq. 3.8).

    Args:
        mean: (B, …, K) class probabilities, their mean over passes.

    Returns:
        (B, …) float64, in nats.
    """
    return entropy(mean)


def mutual_information(mean: Array, expected_entropy: Array) -> Array:
    """Mutual information of prediction and weights: model uncertainty (BALD).

    H[E_p p(y|x, w_p)] - E_p H[p(y|x, w_p)] (Houlsby et al. 2011). Clipped at 0,
    which rounding would otherwise undercut by some 1e-17 where all passes agree.

    Args:
        mean: (B, …, K) class probabilities, their mean over passes.
        expected_entropy: (B, …) mean over passes of each pass's entropy, in nats.

    Returns:
        (B, …) float64, in nats, between 0 and the predictive entropy.
    """
    information: Array = predictive_entropy(mean) - expected_entropy
    return np.maximum(information, 0.0)
