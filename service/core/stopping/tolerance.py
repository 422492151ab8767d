"""Enough passes for a standard error of the mean."""

from dataclasses import dataclass

import numpy as np

from service.core.stopping.criterion import Bools, Criterion
from service.core.summary import Running


@dataclass(frozen=True)
class Tolerance(Criterion):
    """The standard error of the mean is at most a tolerance.

    If all passes so far agree, their standard error is about 0, though one pass in a hundred may
    differ. Therefore the standard error of probabilities must also keep to the tolerance if the
    next pass differed as much as it can: with a deviation of δ, its square grows by
    (δ / (P + 1))². So a tolerance of 0.01 takes 100 passes.

    Attributes:
        tolerance: in the unit of the output, or of 1 if relative.
        relative: whether it is relative to the absolute value of the mean.
        probabilities: whether outputs are from 0 to 1.
    """

    tolerance: float
    relative: bool = False
    probabilities: bool = False

    def met(self, running: Running) -> Bools:
        """See `Criterion`. An unknown standard error, which is NaN, does not meet it."""
        moments = running.moments()
        mean, square = moments.mean, moments.standard_error**2
        if self.probabilities:
            square = square + (np.maximum(mean, 1 - mean) / (moments.count + 1)) ** 2
        scale = np.abs(mean) if self.relative else 1.0
        met: Bools = np.sqrt(square) <= self.tolerance * scale
        return met
