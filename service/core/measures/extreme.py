"""What the largest and the smallest value over the passes have in common."""

from typing import ClassVar

import numpy as np

from service.core.measures.base import Array, Measure, Needs, Rows, Sampled
from service.core.measures.facts import Shape


class Extreme(Measure):
    """The value of each element, of those in all passes, that a comparison keeps.

    Attributes:
        kept: of two arrays.
    """

    unit = "output"
    needs = Needs.STREAM
    kept: ClassVar[np.ufunc]

    def shape(self, output: Shape) -> Shape:
        """That of the output."""
        return output

    def init(self, samples: Array) -> Array:
        """(B, …) values kept so far."""
        first: Array = samples[0].astype(np.float64)
        return first

    def update(self, state: Array, samples: Array) -> Array:
        """See `Measure.update`."""
        so_far: Array = self.kept(state, self.kept.reduce(samples, axis=0))
        return so_far

    def take(self, state: Array, rows: Rows) -> Array:
        """See `Measure.take`."""
        some: Array = state[rows]
        return some

    def finalize(self, state: Array, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return state.copy()
