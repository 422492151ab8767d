"""Intervals of one width for all rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def scores(targets: Array, mean: Array) -> Array:
    """(N,) absolute errors (Lei et al. 2018, algorithm 2).

    With a threshold q the interval of a new row is mean ± q.

    Args:
        targets: (N,).
        mean: (N,) means over passes.
    """
    found: Array = np.abs(targets - mean)
    return found
