"""Dropout masks."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.core.streams import random_numbers

_LEVELS = 1 << 16


def quantised_rate(rate: float) -> float:
    """The drop rate that masks really have: `rate` to the nearest 1/65536.

    Masks are drawn by comparing 16-bit numbers with a threshold. A rate that
    rounds to 1 is taken down to 65535/65536, so that the scale stays finite.
    """
    return min(round(rate * _LEVELS), _LEVELS - 1) / _LEVELS


def draw_masks(
    seed: int,
    site: int,
    passes: range,
    shape: Sequence[int],
    rate: float,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Draw one inverted-dropout mask for each pass.

    An element is 0 with probability q and 1/(1-q) otherwise, q being
    `quantised_rate(rate)`: the scale belongs to the rate that was drawn, so the
    mean of a mask is exactly 1.

    Args:
        seed, site, passes: see `random_numbers`.
        shape: shape of one mask.
        rate: drop probability, 0 ≤ rate < 1.
        dtype: of the result.

    Returns:
        (P, *shape) array of `dtype`.
    """
    numbers = random_numbers(seed, site, passes, math.prod(shape), "u2")
    q = quantised_rate(rate)
    masks = (numbers >= round(q * _LEVELS)).astype(dtype)
    masks *= np.asarray(1.0 / (1.0 - q), dtype)
    return masks.reshape(len(passes), *shape)
