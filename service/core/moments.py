"""Mean and unbiased variance over passes, merged from chunk to chunk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.block_sum import BlockSum, Coupled
from service.core.ordered_sum import OrderedSum, in_order
from service.core.strata import BLOCK

#: Coupled passes from which on blocks tell the standard error: with two blocks, the intervals that
#: they give were 1.5 to 3.7 times as wide as those of independent passes.
LEAST_COUPLED = 3 * BLOCK


@dataclass(frozen=True)
class Moments:
    """First two moments of P passes, elementwise. A pass is one sample, or the mean of several.

    Attributes:
        count: number of passes P.
        mean: (…) float64.
        m2: (…) float64, sum of squared deviations of the passes from the mean.
        coupled: what the blocks of coupled passes tell; None if passes are independent.
        inner: J, samples of a pass.
        within: (…) float64, mean squared deviation of the samples from that of their pass; None
            for J = 1, where it is 0.
    """

    count: int
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    coupled: Coupled | None = None
    inner: int = 1
    within: NDArray[np.float64] | None = None

    @property
    def variance(self) -> NDArray[np.float64]:
        """(…) float64, the unbiased sample variance, never negative.

        By analysis of variance: `within` passes, and between them. Each sample is
        (y - ȳ) + ȳ with the mean ȳ of its pass, and the squares of these two have, over a pass, the
        expectations E `within` and Var ȳ + E(y)², whatever the covariance of its samples.
        """
        between = self.pass_variance
        return between if self.within is None else between + self.within

    @property
    def pass_variance(self) -> NDArray[np.float64]:
        """(…) float64, the unbiased sample variance of passes, never negative.

        m2 / (P - 1) of independent passes, NaN for P = 1; of coupled ones see `Coupled`.
        """
        if self.coupled is not None:
            return self.coupled.variance
        if self.count < 2:
            return np.full_like(self.m2, np.nan)
        return self.m2 / (self.count - 1)

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """(…) float64, the Monte Carlo standard error of the mean.

        √(pass_variance / P) of independent passes; of coupled ones see `Coupled`. For fewer than
        `LEAST_COUPLED` of these it is an upper limit: coupling multiplies the variance of a mean by
        at most M / (M - 1), with M samples to a block (Owen 1997, "Monte Carlo variance of
        scrambled net quadrature").
        """
        if self.coupled is None:
            of_mean = self.pass_variance / self.count
        elif self.count < LEAST_COUPLED:
            of_mean = self.pass_variance / self.count * (BLOCK / (BLOCK - 1))
        else:
            of_mean = self.coupled.of_mean
        error: NDArray[np.float64] = np.sqrt(of_mean)
        return error

    def map(self, select: Callable[[NDArray[Any]], NDArray[Any]]) -> "Moments":
        """Of elements that `select` takes or arranges anew."""
        coupled = self.coupled and Coupled(*map(select, self.coupled))
        within = None if self.within is None else select(self.within)
        return Moments(self.count, select(self.mean), select(self.m2), coupled, self.inner, within)


@dataclass(frozen=True)
class Sums:
    """Running sums over the passes so far, elementwise.

    With d = x - x₀, x₀ being the first sample and x one, or the mean of the J samples of a pass:
    mean = x₀ + Σd/P, m2 = Σd² - (Σd)²/P,
    in float64. The unshifted form, Σx² - (Σx)²/P, cancels when the mean is large
    against the spread; a shift into the range of the samples cures it (Chan, Golub
    & LeVeque 1983, "Algorithms for Computing the Sample Variance", section 3).

    The moments are the same bit for bit, whatever the sizes of chunks and the other rows of a
    batch (see `OrderedSum`).

    Attributes:
        first: (…) float64, x₀.
        total: of d; by block, if passes are coupled.
        squares: of d².
        inner: J, samples of a pass.
        within: of the mean squared deviation of the samples of each pass; None for J = 1.
    """

    first: NDArray[np.float64]
    total: OrderedSum | BlockSum
    squares: OrderedSum
    inner: int = 1
    within: OrderedSum | None = None

    @classmethod
    def start(cls, samples: NDArray[Any], block: int = 1, inner: int = 1) -> "Sums":
        """The initial state.

        Args:
            samples: (P·J, …), the first that will be added.
            block: number of passes that are coupled.
            inner: J, samples of a pass.
        """
        shape = samples.shape[1:]
        zero = OrderedSum.zero(shape)
        total = BlockSum.zero(shape, block) if block > 1 else zero
        first = samples[0].astype(np.float64)
        return cls(first, total, zero, inner, zero if inner > 1 else None)

    @property
    def count(self) -> int:
        """Number of passes P."""
        return self.total.terms

    def add(self, samples: NDArray[Any]) -> "Sums":
        """The state after (P·J, …) samples of P further passes, of any real dtype."""
        with np.errstate(invalid="ignore", over="ignore"):
            d, within = samples.astype(np.float64), self.within
            d -= self.first
            if within is not None:
                d, deviation = _by_pass(d, self.inner)
                within = within.add(deviation)
            total = self.total.add(d)
            np.multiply(d, d, out=d)
            return Sums(self.first, total, self.squares.add(d), self.inner, within)

    def rows(self, rows: slice | NDArray[np.intp]) -> "Sums":
        """Of some elements of axis 0."""
        within = self.within and self.within.rows(rows)
        total, squares = self.total.rows(rows), self.squares.rows(rows)
        return Sums(self.first[rows], total, squares, self.inner, within)

    def moments(self) -> Moments:
        """The moments; NaN or infinite samples give NaN or infinite moments."""
        total = self.total.value
        with np.errstate(invalid="ignore", over="ignore"):
            mean = self.first + total / self.count
            m2 = self.squares.value - total * total / self.count
            m2 = np.maximum(m2, 0.0)
            coupled = self.total.estimates(m2) if isinstance(self.total, BlockSum) else None
            within = None if self.within is None else self.within.value / self.count
        return Moments(self.count, mean, m2, coupled, self.inner, within)


def _by_pass(
    samples: NDArray[np.float64], inner: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(P, …) means, and mean squared deviations from them, of the J = `inner` samples of passes."""
    shape = (-1, *samples.shape[1:])
    each = samples.reshape(-1, inner, samples[0].size).swapaxes(0, 1)
    mean = in_order(each) / inner
    deviation = each - mean
    np.multiply(deviation, deviation, out=deviation)
    return mean.reshape(shape), (in_order(deviation) / inner).reshape(shape)


def moments(samples: NDArray[Any], block: int = 1, inner: int = 1) -> Moments:
    """Moments of (P·J, …) samples of any real dtype along axis 0, P at least 1.

    Passes are coupled in blocks of `block`, or independent, and have J = `inner` samples each.
    """
    return Sums.start(samples, block, inner).add(samples).moments()


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the samples of both, which are independent, one to a pass.

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
