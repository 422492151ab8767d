"""Intervals whose width is proportional to the model's own uncertainty."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InputError

Array = NDArray[Any]


def scores(targets: Array, mean: Array, scale: Array) -> Array:
    """(N,) absolute errors divided by a scale (Lei et al. 2018, section 5.2).

    With a threshold q the interval of a new row is mean ± q × its scale. The coverage is the same
    as with equal widths; how it is spread over rows depends on the scale.

    Args:
        targets: (N,).
        mean: (N,) means over passes.
        scale: (N,) standard deviations: of an observation where the noise is known, else over
            passes.

    Raises:
        InputError: some scale is 0.
    """
    if not np.all(scale > 0):
        raise InputError(
            "some rows have a standard deviation of 0, which gives no normalized interval. "
            "Calibrate with more passes, or leave this method out."
        )
    found: Array = np.abs(targets - mean) / scale
    return found
