"""Monte Carlo standard error of the mean."""

from dataclasses import dataclass
from typing import Any

from service.core.measures.base import Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class StandardError(Measure):
    """Monte Carlo standard error of the mean of each element.

    The standard deviation of the mean over repetitions with other seeds: √(variance / P) for P
    independent passes; from the means of blocks for stratified ones, or below 60 of these an upper
    limit. With inner masks, the variance is that of the mean of each pass's samples. It says
    whether the passes are enough, and nothing of the model's uncertainty: with more passes it goes
    to 0. It is 0 if all passes agree.
    """

    name = "standard_error"
    unit = "output"

    def shape(self, output: Shape) -> Shape:
        """That of the output."""
        return output

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return found.moments.standard_error
