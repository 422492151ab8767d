"""Dropout masks."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.core.streams import random_numbers

_BITS = 16
_LEVELS = 1 << _BITS
#: Up to so many significant bits, a mask is cheaper made of whole words of bits.
_MAX_PLANES = 4


def quantised_rate(rate: float) -> float:
    """The drop rate that masks really have: `rate` to the nearest 1/65536.

    A rate below 1 that rounds to 1 is taken down to 65535/65536, so that the
    scale stays finite. A rate of 1 stays: it keeps nothing.
    """
    if rate >= 1.0:
        return 1.0
    return min(round(rate * _LEVELS), _LEVELS - 1) / _LEVELS


def mask_scale(rate: float) -> float:
    """What a kept element is multiplied by: 1/(1-q), q being `quantised_rate(rate)`.

    The scale belongs to the rate that is drawn, so the mean of a scaled mask is
    exactly 1. At rate 1 nothing is kept, and the scale is 0.
    """
    q = quantised_rate(rate)
    return 0.0 if q == 1.0 else 1.0 / (1.0 - q)


def draw_masks(
    seed: int, site: int, passes: range, shape: Sequence[int], rate: float, row: int = 0
) -> NDArray[np.uint8]:
    """Draw one mask for each pass: 0 where it drops, 1 where it keeps.

    An element is kept with probability k/65536, k being the nearest whole number
    to (1 - rate)·65536: 16 random bits below k. Where k has few significant
    bits, as for the rates 0.5 and 0.25, as many random bits do. They are combined
    from the least significant bit of k upwards: with x an element's next bit,
    kept becomes (x or kept) where the bit of k is 1, and (x and kept) where it
    is 0. That draws 64 elements with one word.

    Args:
        seed, site, passes, row: see `random_numbers`.
        shape: shape of one mask.
        rate: drop probability, 0 ≤ rate ≤ 1.

    Returns:
        (P, *shape) uint8.
    """
    size = math.prod(shape)
    keep, bits = _threshold(rate)
    if bits == 0:
        masks = np.full((len(passes), size), keep, np.uint8)
    elif bits <= _MAX_PLANES:
        masks = _by_planes(seed, site, passes, size, keep, bits, row)
    else:
        numbers = random_numbers(seed, site, passes, size, "u2", row=row)
        masks = (numbers < keep << _BITS - bits).view(np.uint8)
    return masks.reshape(len(passes), *shape)


@lru_cache(maxsize=1024)
def _threshold(rate: float) -> tuple[int, int]:
    """An element is kept with probability k/2**bits: (k, bits), as small as can be."""
    kept = Fraction(_LEVELS - round(quantised_rate(rate) * _LEVELS), _LEVELS)
    return kept.numerator, kept.denominator.bit_length() - 1


def _by_planes(
    seed: int, site: int, passes: range, size: int, keep: int, bits: int, row: int
) -> NDArray[np.uint8]:
    """Masks that keep with probability keep/2**bits, `keep` being odd; (P, size)."""
    octets = -(-size // 8)
    kept = random_numbers(seed, site, passes, octets, "u1", row=row)
    for bit in range(1, bits):
        plane = random_numbers(seed, site, passes, octets, "u1", row=row, plane=bit)
        kept = plane | kept if keep >> bit & 1 else plane & kept
    if size % 8 == 0 and kept.flags.c_contiguous:
        return np.unpackbits(kept.reshape(-1), bitorder="little").reshape(len(passes), size)
    return np.unpackbits(kept, axis=1, count=size, bitorder="little")
