"""Standard normal numbers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike

from service.core.distributions.base import Array, Distribution, Operator, PopulationMoments
from service.core.distributions.inverse_normal import inverse_normal
from service.core.strata import uniform
from service.core.streams import Stream


class Normal(Distribution):
    """Standard normal numbers, by Box & Muller (1958).

    A pair of uniforms u on (0, 1] and v on [0, 1) gives √(-2 ln u) cos 2πv and
    √(-2 ln u) sin 2πv. With u of 32 bits the largest is √(64 ln 2) ≈ 6.66. Stratified numbers are
    the inverse distribution function of uniform ones; the largest is 6.79.
    """

    kinds = ("normal",)
    operator = Operator("RandomNormalLike", {"mean": 0.0, "scale": 1.0})
    neutral = 0.0
    probes = (2.0, 1e3)  # the second for a branch too faint for float32 beside the others

    def row(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None = None
    ) -> Array:
        """See `Distribution`."""
        size = math.prod(shape)
        pairs = -(-size // 2)
        numbers = stream.numbers(2 * pairs, "u4")
        radius = np.sqrt(-2.0 * np.log((numbers[:, :pairs] + 1.0) * 2.0**-32))
        angle = 2.0 * math.pi * 2.0**-32 * numbers[:, pairs:]
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :size]
        return normal.astype(dtype).reshape(len(stream.passes), *shape)

    def stratified(
        self, stream: Stream, shape: Sequence[int], dtype: DTypeLike, rate: float | None = None
    ) -> Array:
        """See `Distribution`."""
        normal = inverse_normal(uniform(stream, math.prod(shape)))
        return normal.astype(dtype).reshape(len(stream.passes), *shape)

    def moments(self, rate: float | None = None) -> PopulationMoments:
        """0, 1 and 3."""
        return PopulationMoments(mean=0.0, variance=1.0, kurtosis=3.0)

    def moved(self, attributes: Mapping[str, float]) -> tuple[float, float]:
        """Numbers of another mean and deviation."""
        return attributes["mean"], attributes["scale"]
