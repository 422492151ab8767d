"""APS: adaptive sets of classes, larger where the model is less certain."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def scores(probabilities: Array, labels: Array, parts: Array) -> Array:
    """(N,) scores: the probability of all classes more probable than the observed one, and of a
    random part of its own (Romano, Sesia & Candès 2020, eq. 7).

    With a threshold q the set of a new row is {k: the probability of all classes more probable than
    k is below q}: the most probable classes, until their sum reaches q. It draws nothing, so that
    an answer is reproducible, and contains the set that the randomized rule gives with any random
    number. So the coverage is at least the stated one, without an upper bound, and a set always has
    the most probable class.

    Args:
        probabilities: (N, C), of the classes.
        labels: (N,) int, of the observed classes.
        parts: (N,) of the own probability: random numbers, uniform from 0 to 1.
    """
    own = probabilities[np.arange(len(labels)), labels]
    above = np.where(probabilities > own[:, None], probabilities, 0).sum(axis=1)
    found: Array = above + parts * own
    return found
