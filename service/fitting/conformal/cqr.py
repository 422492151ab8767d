"""CQR: quantiles of the passes, widened until they cover."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def scores(targets: Array, low: Array, high: Array) -> Array:
    """(N,) distances of the targets beyond the quantiles, negative inside (Romano, Patterson &
    Candès 2019, eq. 6).

    With a threshold q the interval of a new row is [low - q, high + q].

    Args:
        targets: (N,).
        low, high: (N,) quantiles over passes, at (1 - c)/2 and (1 + c)/2 for a coverage c.
    """
    found: Array = np.maximum(low - targets, targets - high)
    return found
