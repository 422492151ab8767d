"""Sums of terms that are coupled in blocks, and what these tell of their variance."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.ordered_sum import add_in_order, sums_by_block


class Coupled(NamedTuple):
    """Unbiased estimates from coupled samples, never negative.

    Attributes:
        variance: (…) float64, of a sample; NaN if there is only one block.
        of_mean: (…) float64, of the mean of all; NaN if there is only one whole block.
    """

    variance: NDArray[np.float64]
    of_mean: NDArray[np.float64]


class BlockSum(NamedTuple):
    """The sum of P terms, elementwise, in blocks of `size`; the last may have fewer.

    It is the same to the bit however the terms come in chunks, as `OrderedSum` is.

    Attributes:
        size: terms of a block.
        terms: P.
        whole: (2, …) float64: over the whole blocks, of their sums and of the squares of these.
        rest: (…) float64, sum of the terms after those.
    """

    size: int
    terms: int
    whole: NDArray[np.float64]
    rest: NDArray[np.float64]

    @classmethod
    def zero(cls, shape: tuple[int, ...], size: int) -> "BlockSum":
        """Of no terms of a shape."""
        return cls(size, 0, np.zeros((2, *shape)), np.zeros(shape))

    def add(self, more: NDArray[np.float64]) -> "BlockSum":
        """With (P, …) terms more."""
        sums, rest = sums_by_block(self.rest, more, self.size, self.terms % self.size)
        whole = add_in_order(self.whole, np.stack([sums, sums * sums], axis=1))
        return BlockSum(self.size, self.terms + len(more), whole, rest)

    def add_sum(self, more: NDArray[np.float64], terms: int) -> "BlockSum":
        """With the (…) sum of terms more, at most as many as the last block still takes."""
        rest, whole = self.rest + more, self.whole
        if (self.terms + terms) % self.size == 0:
            rest, whole = np.zeros_like(rest), whole + np.stack([rest, rest * rest])
        return BlockSum(self.size, self.terms + terms, whole, rest)

    def rows(self, rows: slice | NDArray[np.intp]) -> "BlockSum":
        """Of some elements of axis 0."""
        return BlockSum(self.size, self.terms, self.whole[:, rows], self.rest[rows])

    @property
    def value(self) -> NDArray[np.float64]:
        """(…) float64, the sum."""
        total: NDArray[np.float64] = self.whole[0] + self.rest
        return total

    def estimates(self, m2: NDArray[np.float64]) -> Coupled:
        """Estimate the variance of a term, and of the mean of all.

        Any two terms of a block have the covariance κ, and others none. With σ² the variance of a
        term, the squared deviations within the B blocks, of n_b terms each, have the expectation
        (P - B)(σ² - κ), and those from the mean of all, m2, the expectation
        (P - 1)σ² - κ Σ n_b (n_b - 1) / P. Solved for σ², this is for blocks of one term the usual
        sample variance, and for equal blocks the mean squared deviation within them plus the sample
        variance of their means. The variance of the mean follows from σ² and the sample variance
        of the means of the whole blocks, (σ² + (size - 1) κ) / size.

        Args:
            m2: (…), squared deviations of all terms from their mean.
        """
        blocks, rest = divmod(self.terms, self.size)
        squares = blocks * self.size**2 + rest**2  # Σ n_b²
        if squares == self.terms**2:
            nan = np.full_like(self.rest, np.nan)
            return Coupled(nan, nan)
        between = self.whole[1] / self.size - self.value**2 / self.terms
        if rest:
            between += self.rest**2 / rest
        within = np.maximum(m2 - np.maximum(between, 0.0), 0.0)
        apart = within / (self.terms - blocks - (rest > 0))
        pairs = squares - self.terms
        variance = (self.terms * m2 - pairs * apart) / (self.terms**2 - squares)
        return Coupled(variance, self._variance_of_mean(variance))

    def _variance_of_mean(self, variance: NDArray[np.float64]) -> NDArray[np.float64]:
        blocks, rest = divmod(self.terms, self.size)
        if blocks < 2:
            return np.full_like(variance, np.nan)
        spread = self.whole[1] - self.whole[0] ** 2 / blocks
        of_sum = np.maximum(spread, 0.0) / (blocks - 1)  # the variance of a whole block's sum
        of_total = blocks * of_sum
        if rest:
            of_rest = (self.size - rest) * variance + (rest - 1) / self.size * of_sum
            of_total += rest / (self.size - 1) * of_rest
        of_mean: NDArray[np.float64] = of_total / self.terms**2
        return of_mean
