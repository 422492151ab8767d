"""Dropout masks, of 0 where an element is dropped and 1 where it is kept."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from service.core.distributions.base import (
    Array,
    Distribution,
    Operator,
    PopulationMoments,
    SiteDraw,
)
from service.core.strata import below
from service.core.streams import Stream
from service.core.tolerances import LOG_CHANCE

#: A dropout rate nearer to 0 or to 1 cannot be drawn.
SMALLEST_RATE = 2.0**-24

#: Random bits that an element takes: those of a usual rate, and those of one below
#: 1/256 or above 255/256, which 16 bits would miss by more than 1 in 512.
_BITS, _FINE_BITS = 16, 32
_FINE_BELOW = 1 / 256
#: Up to so many significant bits, a mask is cheaper made of whole words of bits.
_MAX_PLANES = 4


def is_drawable(rate: float) -> bool:
    """Whether masks of a dropout rate can be drawn, and vary."""
    return SMALLEST_RATE <= rate <= 1 - SMALLEST_RATE


def quantized_rate(rate: float) -> float:
    """The dropout rate that masks really have: `rate` to the nearest 1/65536.

    One that is below 1/256, or above 255/256, to the nearest 2**-32: from 2**-24 to
    1 - 2**-24 the share of the rarer elements is right to 1 in 512.
    """
    fine = min(rate, 1 - rate) < _FINE_BELOW
    levels = 1 << (_FINE_BITS if fine else _BITS)
    return round(rate * levels) / levels


class Bernoulli(Distribution):
    """1 where an element is kept, with probability 1 - rate, and 0 where it is dropped.

    The probability is k/65536, k being the nearest whole number to (1 - rate)·65536: 16
    random bits below k keep (32 for a rate next to 0 or 1, see `quantized_rate`). Where k
    has few significant bits, as for the rates 0.5 and 0.25, as many random bits do. They
    are combined from the least significant bit of k upwards: with x an element's next bit,
    kept becomes (x or kept) where the bit of k is 1, and (x and kept) where it is 0. That
    draws 64 elements with one word.
    """

    kinds = ("dropout", "spatial_dropout")
    operator = Operator("Dropout")
    neutral = 1
    # What kept elements are multiplied by; the large one shows a branch that is too faint
    # for float32 beside the others.
    probes = (1.0, 1e3)
    takes_rate = True

    def row(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None
    ) -> NDArray[np.uint8]:
        """See `Distribution`."""
        size = math.prod(shape)
        keep, bits = _threshold(rate or 0.0)
        if bits == 0:
            masks = np.full((len(stream.passes), size), keep, np.uint8)
        elif bits <= _MAX_PLANES:
            masks = _by_planes(stream, size, keep, bits)
        else:
            width = _BITS if bits <= _BITS else _FINE_BITS
            numbers = stream.numbers(size, f"u{width // 8}")
            masks = (numbers < keep << width - bits).view(np.uint8)
        return masks.reshape(len(stream.passes), *shape)

    def stratified(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None
    ) -> NDArray[np.uint8]:
        """See `Distribution`."""
        keep, bits = _threshold(rate or 0.0)
        if bits == 0:  # all are kept, or all are dropped
            return self.row(stream, shape, dtype, rate)
        masks = below(stream, math.prod(shape), keep, bits)
        return masks.reshape(len(stream.passes), *shape)

    def moments(self, rate: float | None = None) -> PopulationMoments:
        """Of masks, not scaled, at the rate that is drawn."""
        q = quantized_rate(rate or 0.0)
        variance = q * (1 - q)
        return PopulationMoments(1 - q, variance, 1 / variance - 3 if variance else math.nan)

    def number_type(self, dtype: DTypeLike) -> np.dtype[Any]:
        """A byte, whatever the site's element type."""
        return np.dtype(np.uint8)

    def scale(self, rate: float | None) -> float:
        """1/(1-q), q being `quantized_rate(rate)`.

        The scale belongs to the rate that is drawn, so the mean of a scaled mask is
        exactly 1. At rate 1 nothing is kept, and the scale is 0.
        """
        q = quantized_rate(rate or 0.0)
        return 0.0 if q == 1.0 else 1.0 / (1.0 - q)

    def share_unusual(self, rate: float | None) -> float:
        """Of dropped elements, or of kept ones where these are rarer."""
        return min(rate or 0.0, 1 - (rate or 0.0))

    def must_vary(self, count: int, rate: float | None) -> bool:
        """Masks of few elements or an extreme rate may well be all the same."""
        return count * self.share_unusual(rate) >= LOG_CHANCE

    def agrees(self, numbers: Array, rate: float | None) -> bool:
        """By the share of dropped elements.

        A share q of n draws at rate p has a chance of at most 2 exp(-n KL(q, p)),
        however few they are (Hoeffding 1963, theorem 1).
        """
        dropped = 1.0 - float(numbers.mean())
        return numbers.size * _divergence(dropped, rate or 0.0) <= LOG_CHANCE

    def pair(self, base: SiteDraw, probe: float) -> tuple[SiteDraw, SiteDraw]:
        """One that keeps all, and one that keeps nothing, at the same scale."""
        ones = np.ones_like(base.numbers)
        return SiteDraw(ones, probe), SiteDraw(0 * ones, probe)


@lru_cache(maxsize=1024)
def _threshold(rate: float) -> tuple[int, int]:
    """An element is kept with probability k/2**bits: (k, bits), as small as can be."""
    kept = 1 - Fraction(quantized_rate(rate))
    return kept.numerator, kept.denominator.bit_length() - 1


def _by_planes(stream: Stream, size: int, keep: int, bits: int) -> NDArray[np.uint8]:
    """Masks that keep with probability keep/2**bits, `keep` being odd; (P, size)."""
    octets = -(-size // 8)
    kept = stream.numbers(octets, "u1")
    for bit in range(1, bits):
        plane = stream.numbers(octets, "u1", plane=bit)
        kept = plane | kept if keep >> bit & 1 else plane & kept
    if size % 8 == 0 and kept.flags.c_contiguous:
        return np.unpackbits(kept.reshape(-1), bitorder="little").reshape(len(stream.passes), size)
    return np.unpackbits(kept, axis=1, count=size, bitorder="little")


def _divergence(q: float, p: float) -> float:
    """Kullback-Leibler divergence of two Bernoulli distributions, in nats."""
    terms = ((q, p), (1 - q, 1 - p))
    return sum(a * math.log(a / b) if b else math.inf for a, b in terms if a > 0)
