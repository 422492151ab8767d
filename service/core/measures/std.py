"""Standard deviation over the passes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.measures.base import Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Std(Measure):
    """Standard deviation of each element over the passes.

    √variance, the variance being the unbiased one of the answer; 0 if all passes agree. It says
    how far single passes are from their mean, and does not shrink with more passes; that does
    `standard_error`.
    """

    name = "std"
    unit = "output"

    def shape(self, output: Shape) -> Shape:
        """That of the output."""
        return output

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return np.sqrt(found.moments.variance)
