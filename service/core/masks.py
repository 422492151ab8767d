"""Dropout masks from counter-based random streams.

A mask is a pure function of (seed, site, pass): Philox (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3") is keyed by seed and site, and a
pass owns a fixed range of its counter. So it does not matter which passes are
drawn together, in which order, or where.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: One Philox counter step gives 4 words of 64 bits, that is 16 numbers of 16 bits.
_NUMBERS_PER_STEP = 16
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
        seed: 0 ≤ seed < 2**64, of the request.
        site: 0 ≤ site < 2**64, index of the site in its model.
        passes: indices of the passes, consecutive.
        shape: shape of one mask.
        rate: drop probability, 0 ≤ rate < 1.
        dtype: of the result.

    Returns:
        (P, *shape) array of `dtype`.
    """
    size = math.prod(shape)
    steps = -(-size // _NUMBERS_PER_STEP)
    stream = np.random.Philox(counter=passes.start * steps, key=(site << 64) | seed)
    words = stream.random_raw(len(passes) * steps * 4)
    # "<u2": the same numbers on a big-endian machine, too.
    numbers = words.astype("<u8", copy=False).view("<u2").reshape(len(passes), -1)[:, :size]
    q = quantised_rate(rate)
    masks = (numbers >= round(q * _LEVELS)).astype(dtype)
    masks *= np.asarray(1.0 / (1.0 - q), dtype)
    return masks.reshape(len(passes), *shape)
