"""Mean and unbiased variance over passes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Moments:
    """First two moments of P samples, elementwise.

    Attributes:
        count: number of samples P.
        mean: (…) float64.
        m2: (…) float64, sum of squared deviations from the mean.
    """

    count: int
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """(…) float64, the unbiased sample variance m2 / (P - 1); NaN for P = 1."""
        if self.count < 2:
            return np.full_like(self.m2, np.nan)
        return self.m2 / (self.count - 1)


def moments(samples: NDArray[Any], axis: int) -> Moments:
    """Moments of `samples` along `axis`.

    Two passes in float64: the sum of squared deviations is taken around the
    mean already known, because E[x²] - E[x]² cancels when the mean is large
    against the spread (Chan, Golub & LeVeque 1983, "Algorithms for Computing
    the Sample Variance"). Their correction term removes what rounding leaves
    in the mean.

    Args:
        samples: any shape, any real dtype, at least one sample along `axis`.
        axis: the pass axis.
    """
    count = samples.shape[axis]
    mean = samples.mean(axis=axis, dtype=np.float64)
    deviation = samples - np.expand_dims(mean, axis)
    m2 = np.square(deviation).sum(axis=axis) - np.square(deviation.sum(axis=axis)) / count
    return Moments(count, mean, np.maximum(m2, 0.0))
