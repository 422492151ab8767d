"""Largest value of an output over the passes."""

from dataclasses import dataclass

import numpy as np

from service.core.measures.base import Array, Measure, Needs, Rows, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Max(Measure):
    """Largest value of each element over the passes.

    max_p f(x, w_p). It moves up with more passes, so compare it only between answers with the
    same number of them; `quantiles` do not depend on it. If all passes agree, it is the mean.
    """

    name = "max"
    unit = "output"
    needs = Needs.STREAM

    def shape(self, output: Shape) -> Shape:
        """That of the output."""
        return output

    def init(self, samples: Array) -> Array:
        """(B, …) largest values so far."""
        first: Array = samples[0].astype(np.float64)
        return first

    def update(self, state: Array, samples: Array) -> Array:
        """See `Measure.update`."""
        so_far: Array = np.maximum(state, samples.max(axis=0))
        return so_far

    def take(self, state: Array, rows: Rows) -> Array:
        """See `Measure.take`."""
        some: Array = state[rows]
        return some

    def finalize(self, state: Array, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return state.copy()
