"""Temperature scaling of class probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.entropy import as_distribution

Array = NDArray[Any]


def tempered(probabilities: Array, temperature: float) -> Array:
    """Class probabilities p^(1/T), normalized: those of logits that are divided by T.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2; here of the mean over
    passes, which has no logits of its own. Above 1, T makes them more alike.

    Args:
        probabilities: (…, K) from 0 to 1; (…, 1) is the probability of the second of two classes.
        temperature: T, above 0.

    Returns:
        (…, K) float64.
    """
    p = as_distribution(np.maximum(probabilities.astype(np.float64), 0.0))
    with np.errstate(divide="ignore"):  # ln 0 is -infinity, which stays 0
        logs = np.log(p / p.max(axis=-1, keepdims=True)) / temperature
    powers = np.exp(logs)
    found: Array = powers / powers.sum(axis=-1, keepdims=True)
    return found[..., 1:] if probabilities.shape[-1] == 1 else found
