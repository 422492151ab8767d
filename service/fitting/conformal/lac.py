"""LAC: the least ambiguous sets of classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def scores(probabilities: Array, labels: Array) -> Array:
    """(N,) scores 1 - p of the observed class (Sadinle, Lei & Wasserman 2019).

    With a threshold q the set of a new row is {k: 1 - p_k ≤ q}. Of all sets with the coverage,
    these are the smallest on average. A set may be empty: then no class is typical.

    Args:
        probabilities: (N, C), of the classes.
        labels: (N,) int, of the observed classes.
    """
    found: Array = 1 - probabilities[np.arange(len(labels)), labels]
    return found
