"""Uniform and normal numbers for the layers that draw them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.core.streams import random_numbers


def draw_uniform(
    seed: int,
    site: int,
    passes: range,
    shape: Sequence[int],
    dtype: DTypeLike = np.float32,
    row: int = 0,
) -> NDArray[Any]:
    """Draw numbers uniform on [0, 1) for each pass, multiples of 2**-24 (2**-11 for float16).

    So many bits fit the significand, and no number rounds up to 1.

    Args:
        seed, site, passes, row: see `random_numbers`.
        shape: shape of the numbers of one pass.
        dtype: of the result.

    Returns:
        (P, *shape) array of `dtype`.
    """
    bits = min(np.finfo(np.dtype(dtype).name).nmant + 1, 24)
    numbers = random_numbers(seed, site, passes, math.prod(shape), "u4", row=row)
    numbers = numbers >> np.uint32(32 - bits)
    return (numbers * 2.0**-bits).astype(dtype).reshape(len(passes), *shape)


def draw_normal(
    seed: int,
    site: int,
    passes: range,
    shape: Sequence[int],
    dtype: DTypeLike = np.float32,
    row: int = 0,
) -> NDArray[Any]:
    """Draw standard normal numbers for each pass, by Box & Muller (1958).

    A pair of uniforms u on (0, 1] and v on [0, 1) gives √(-2 ln u) cos 2πv and
    √(-2 ln u) sin 2πv. With u of 32 bits the largest is √(64 ln 2) ≈ 6.66.

    Args and returns as `draw_uniform`.
    """
    size = math.prod(shape)
    pairs = -(-size // 2)
    numbers = random_numbers(seed, site, passes, 2 * pairs, "u4", row=row)
    radius = np.sqrt(-2.0 * np.log((numbers[:, :pairs] + 1.0) * 2.0**-32))
    angle = 2.0 * math.pi * 2.0**-32 * numbers[:, pairs:]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :size]
    return normal.astype(dtype).reshape(len(passes), *shape)
