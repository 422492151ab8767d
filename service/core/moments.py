"""Mean and unbiased variance over passes, merged from chunk to chunk."""

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


def moments(samples: NDArray[Any]) -> Moments:
    """Moments of `samples` along axis 0, the pass axis.

    With d = x - x₀, x₀ being the first sample: mean = x₀ + Σd/P, m2 = Σd² - (Σd)²/P,
    in float64. The unshifted form, Σx² - (Σx)²/P, cancels when the mean is large
    against the spread; a shift into the range of the samples cures it (Chan, Golub
    & LeVeque 1983, "Algorithms for Computing the Sample Variance", section 3).

    Args:
        samples: (P, …) of any real dtype, P at least 1. Where one is NaN or infinite,
            so are mean or variance.
    """
    count, shape = len(samples), samples.shape[1:]
    d = samples.reshape(count, -1).astype(np.float64)
    first = d[0].copy()
    # Sums as products with ones: BLAS is up to three times as fast along axis 0.
    ones = np.ones(count)
    with np.errstate(invalid="ignore", over="ignore"):
        d -= first
        total = ones @ d
        np.multiply(d, d, out=d)
        m2 = ones @ d - total * total / count
        mean = first + total / count
    return Moments(count, mean.reshape(shape), np.maximum(m2, 0.0).reshape(shape))


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the samples of both.

    With δ = mean_b - mean_a and n = a.count + b.count: mean_a + δ·b.count/n, and
    m2_a + m2_b + δ²·a.count·b.count/n (Chan et al., as above). The differences of
    means are small where passes agree, so nothing cancels.
    """
    count = a.count + b.count
    delta = b.mean - a.mean
    return Moments(
        count,
        a.mean + delta * (b.count / count),
        a.m2 + b.m2 + delta * delta * (a.count * b.count / count),
    )
