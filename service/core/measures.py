"""Uncertainty measures over passes, in nats where they are entropies."""

from collections.abc import Callable
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


def predictive_entropy(samples: Array) -> Array:
    """Entropy of the mean prediction: total uncertainty.

    H[E_p p(y|x, w_p)] (Gal 2016, *Uncertainty in Deep Learning*, eq. 3.8).

    Args:
        samples: (B, P, …, K) class probabilities of each pass.

    Returns:
        (B, …) float64, in nats.
    """
    return entropy(samples.mean(axis=1, dtype=np.float64))


def mutual_information(samples: Array) -> Array:
    """Mutual information of prediction and weights: model uncertainty (BALD).

    H[E_p p(y|x, w_p)] - E_p H[p(y|x, w_p)] (Houlsby et al. 2011). Clipped at 0,
    which rounding would otherwise undercut by some 1e-17 where all passes agree.

    Args:
        samples: (B, P, …, K) class probabilities of each pass.

    Returns:
        (B, …) float64, in nats, between 0 and the predictive entropy.
    """
    information: Array = predictive_entropy(samples) - entropy(samples).mean(axis=1)
    return np.maximum(information, 0.0)


#: What a classification request may ask for by name.
CLASSIFICATION_MEASURES: dict[str, Callable[[Array], Array]] = {
    "predictive_entropy": predictive_entropy,
    "mutual_information": mutual_information,
}
