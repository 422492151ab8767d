"""Losses of predicted class probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Stands for a probability of 0, of which the logarithm is not finite: the least of float32.
_LEAST = float(np.finfo(np.float32).tiny)


def both_classes(p: Array) -> Array:
    """(…, 2) probabilities of both classes, of (…, 1) of the second; others as they are."""
    return np.concatenate([1 - p, p], axis=-1) if p.shape[-1] == 1 else p


def nll(p: Array, target: Array) -> Array:
    """Negative log-likelihood, -log p(target), in nats; at most 87.3, for p = 0.

    Args:
        p: (…, C) probabilities.
        target: (…) index of the class.

    Returns:
        (…) float64.
    """
    chosen = np.take_along_axis(p.astype(np.float64), target[..., None], axis=-1)[..., 0]
    return np.asarray(-np.log(np.maximum(chosen, _LEAST)))


def brier(p: Array, target: Array) -> Array:
    """Brier score, Σ_c (p_c - 1[c = target])², from 0 to 2 (Brier 1950).

    Args and returns: see `nll`.
    """
    p = p.astype(np.float64)
    chosen = np.take_along_axis(p, target[..., None], axis=-1)[..., 0]
    return np.asarray((p * p).sum(axis=-1) - 2 * chosen + 1)


def wrong(p: Array, target: Array) -> Array:
    """(…) float64: 1 where the most probable class is another one, else 0; see `nll`."""
    return np.asarray(p.argmax(axis=-1) != target, np.float64)
