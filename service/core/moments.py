"""Mean and unbiased variance over passes, merged from chunk to chunk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.block_sum import BlockSum, Coupled
from service.core.ordered_sum import OrderedSum
from service.core.strata import BLOCK

#: Coupled passes from which on blocks tell the standard error: with two blocks, the intervals that
#: they give were 1.5 to 3.7 times as wide as those of independent passes.
LEAST_COUPLED = 3 * BLOCK


@dataclass(frozen=True)
class Moments:
    """First two moments of P samples, elementwise.

    Attributes:
        count: number of samples P.
        mean: (…) float64.
        m2: (…) float64, sum of squared deviations from the mean.
        coupled: what the blocks of coupled passes tell; None if passes are independent.
    """

    count: int
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    coupled: Coupled | None = None

    @property
    def variance(self) -> NDArray[np.float64]:
        """(…) float64, the unbiased sample variance, never negative.

        m2 / (P - 1) of independent samples, NaN for P = 1; of coupled ones see `Coupled`.
        """
        if self.coupled is not None:
            return self.coupled.variance
        if self.count < 2:
            return np.full_like(self.m2, np.nan)
        return self.m2 / (self.count - 1)

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """(…) float64, the Monte Carlo standard error of the mean.

        √(variance / P) of independent samples; of coupled ones see `Coupled`. For fewer than
        `LEAST_COUPLED` of these it is an upper limit: coupling multiplies the variance of a mean by
        at most M / (M - 1), with M samples to a block (Owen 1997, "Monte Carlo variance of
        scrambled net quadrature").
        """
        if self.coupled is None:
            of_mean = self.variance / self.count
        elif self.count < LEAST_COUPLED:
            of_mean = self.variance / self.count * (BLOCK / (BLOCK - 1))
        else:
            of_mean = self.coupled.of_mean
        error: NDArray[np.float64] = np.sqrt(of_mean)
        return error

    @property
    def degrees_of_freedom(self) -> int:
        """Of Student's t distribution, from which intervals of `standard_error` are made."""
        by_block = self.coupled is not None and self.count >= LEAST_COUPLED
        return (self.count // BLOCK if by_block else self.count) - 1

    def map(self, select: Callable[[NDArray[Any]], NDArray[Any]]) -> "Moments":
        """Of elements that `select` takes or arranges anew."""
        coupled = self.coupled and Coupled(*map(select, self.coupled))
        return Moments(self.count, select(self.mean), select(self.m2), coupled)


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
        total: of d; by block, if passes are coupled.
        squares: of d².
    """

    first: NDArray[np.float64]
    total: OrderedSum | BlockSum
    squares: OrderedSum

    @classmethod
    def start(cls, samples: NDArray[Any], block: int = 1) -> "Sums":
        """The initial state.

        Args:
            samples: (P, …), the first that will be added.
            block: number of passes that are coupled.
        """
        shape = samples.shape[1:]
        zero = OrderedSum.zero(shape)
        total = BlockSum.zero(shape, block) if block > 1 else zero
        return cls(samples[0].astype(np.float64), total, zero)

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
            m2 = np.maximum(m2, 0.0)
            coupled = self.total.estimates(m2) if isinstance(self.total, BlockSum) else None
        return Moments(self.count, mean, m2, coupled)


def moments(samples: NDArray[Any], block: int = 1) -> Moments:
    """Moments of (P, …) samples of any real dtype along axis 0, P at least 1.

    Passes are coupled in blocks of `block`, or independent.
    """
    return Sums.start(samples, block).add(samples).moments()


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the samples of both, which are independent.

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
