"""Numbers uniform on [0, 1), for layers that draw masks of their own."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from service.core.distributions.base import Array, Distribution, Operator, PopulationMoments
from service.core.strata import uniform
from service.core.streams import Stream

#: Graphs often compare a uniform number with a rate, which they alone know; taken for it.
_RATE = 0.01


class Uniform(Distribution):
    """Multiples of 2**-24 (2**-11 for float16) on [0, 1).

    So many bits fit the significand, and no number rounds up to 1.
    """

    kinds = ("uniform",)
    operator = Operator("RandomUniformLike", {"low": 0.0, "high": 1.0})
    neutral = 0.5
    neutral_is_off = False  # the number may be compared with a rate, and drop all
    probes = (0.0, 0.999)  # on either side of a rate

    def row(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None = None
    ) -> Array:
        """See `Distribution`."""
        bits = _bits(dtype)
        numbers = stream.numbers(math.prod(shape), "u4") >> np.uint32(32 - bits)
        return (numbers * 2.0**-bits).astype(dtype).reshape(len(stream.passes), *shape)

    def stratified(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None = None
    ) -> Array:
        """See `Distribution`."""
        bits = _bits(dtype)
        numbers = np.floor(uniform(stream, math.prod(shape)) * 2.0**bits)
        return (numbers * 2.0**-bits).astype(dtype).reshape(len(stream.passes), *shape)

    def moments(self, rate: float | None = None) -> PopulationMoments:
        """Those of the continuous distribution."""
        return PopulationMoments(mean=0.5, variance=1 / 12, kurtosis=1.8)

    def moved(self, attributes: Mapping[str, float]) -> tuple[float, float]:
        """Numbers on [low, high)."""
        return attributes["low"], attributes["high"] - attributes["low"]

    def share_unusual(self, rate: float | None) -> float:
        """Of numbers below a rate that is not known."""
        return _RATE


def _bits(dtype: DTypeLike) -> int:
    """Bits of a number that the significand of a float holds, at most 24."""
    return min(np.finfo(np.dtype(dtype).name).nmant + 1, 24)
