"""Mean and unbiased variance over passes, merged from chunk to chunk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.ordered_sum import OrderedSum


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

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """(…) float64, the Monte Carlo standard error of the mean, √(variance / P)."""
        error: NDArray[np.float64] = np.sqrt(self.variance / self.count)
        return error

    def map(self, select: Callable[[NDArray[Any]], NDArray[Any]]) -> "Moments":
        """Of elements that `select` takes or arranges anew."""
        return Moments(self.count, select(self.mean), select(self.m2))


@dataclass(frozen=True)
class Sums:
    """Running sums over the samples so far, elementwise.

    With d = x - x₀, x₀ being the first sample: mean = x₀ + Σd/P, m2 = Σd² - (Σd)²/P,
    in float64. The unshifted form, Σx² - (Σx)²/P, cancels when the mean is large
    against the spread; a shift into the range of the samples cures it (Chan, Golub
    & LeVeque 1983, "Algorithms for Computing the Sample Variance", section 3).

    The moments are the same bit for bit, whatever the sizes of chunks and the other rows of a
    batch (see `OrderedSum`).

    Attributes:
        first: (…) float64, x₀.
        total: of d.
        squares: of d².
    """

    first: NDArray[np.float64]
    total: OrderedSum
    squares: OrderedSum

    @classmethod
    def start(cls, samples: NDArray[Any]) -> "Sums":
        """The initial state; (P, …) `samples` are the first that will be added."""
        zero = OrderedSum.zero(samples.shape[1:])
        return cls(samples[0].astype(np.float64), zero, zero)

    @property
    def count(self) -> int:
        """Number of samples P."""
        return self.total.terms

    def add(self, samples: NDArray[Any]) -> "Sums":
        """The state after (P, …) further samples, of any real dtype."""
        with np.errstate(invalid="ignore", over="ignore"):
            d = samples.astype(np.float64)
            d -= self.first
            total = self.total.add(d)
            np.multiply(d, d, out=d)
            return Sums(self.first, total, self.squares.add(d))

    def rows(self, rows: slice | NDArray[np.intp]) -> "Sums":
        """Of some elements of axis 0."""
        return Sums(self.first[rows], self.total.rows(rows), self.squares.rows(rows))

    def moments(self) -> Moments:
        """The moments; NaN or infinite samples give NaN or infinite moments."""
        total = self.total.value
        with np.errstate(invalid="ignore", over="ignore"):
            mean = self.first + total / self.count
            m2 = self.squares.value - total * total / self.count
        return Moments(self.count, mean, np.maximum(m2, 0.0))


def moments(samples: NDArray[Any]) -> Moments:
    """Moments of (P, …) samples of any real dtype along axis 0, P at least 1."""
    return Sums.start(samples).add(samples).moments()


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
