"""Dropout masks."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.core.streams import random_numbers

#: Random bits that an element takes: those of a usual rate, and those of one below
#: 1/256 or above 255/256, which 16 bits would miss by more than 1 in 512.
_BITS, _FINE_BITS = 16, 32
_FINE_BELOW = 1 / 256
#: Up to so many significant bits, a mask is cheaper made of whole words of bits.
_MAX_PLANES = 4


def quantised_rate(rate: float) -> float:
    """The drop rate that masks really have: `rate` to the nearest 1/65536.

    One that is below 1/256, or above 255/256, to the nearest 2**-32: from 2**-24 to
    1 - 2**-24 the share of the rarer elements is right to 1 in 512.
    """
    fine = min(rate, 1 - rate) < _FINE_BELOW
    levels = 1 << (_FINE_BITS if fine else _BITS)
    return round(rate * levels) / levels


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
    to (1 - rate)·65536: 16 random bits below k (32 for a rate next to 0 or 1, see
    `quantised_rate`). Where k has few significant
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
        width = _BITS if bits <= _BITS else _FINE_BITS
        numbers = random_numbers(seed, site, passes, size, f"u{width // 8}", row=row)
        masks = (numbers < keep << width - bits).view(np.uint8)
    return masks.reshape(len(passes), *shape)


@lru_cache(maxsize=1024)
def _threshold(rate: float) -> tuple[int, int]:
    """An element is kept with probability k/2**bits: (k, bits), as small as can be."""
    kept = 1 - Fraction(quantised_rate(rate))
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
