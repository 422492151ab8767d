"""Variation ratio: how often the passes disagree on the class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.core.entropy import as_distribution
from service.core.measures.base import CLASSIFICATION, Array, Measure, Needs, Rows, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class VariationRatio(Measure):
    """Share of the passes whose most likely class differs from the most frequent one.

    1 - max_k (number of passes with class k) / P (Freeman 1965; Gal 2016, section 3.3.1), from 0,
    if all passes agree, to 1 - 1/K. A pass with equal probabilities counts for the first of
    its most likely classes.
    """

    name = "variation_ratio"
    unit = "1"
    tasks = CLASSIFICATION
    certain = "low"
    needs = Needs.STREAM

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def init(self, samples: Array) -> NDArray[np.int64]:
        """(B, …, K) numbers of passes that have each class."""
        return np.zeros(as_distribution(samples[0]).shape, np.int64)

    def update(self, state: NDArray[np.int64], samples: Array) -> NDArray[np.int64]:
        """See `Measure.update`."""
        likeliest = as_distribution(samples).argmax(axis=-1)
        counts = [np.sum(likeliest == k, axis=0) for k in range(state.shape[-1])]
        more: NDArray[np.int64] = state + np.stack(counts, axis=-1)
        return more

    def take(self, state: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
        """See `Measure.take`."""
        return state[rows]

    def finalize(self, state: NDArray[np.int64], found: Sampled) -> Array:
        """See `Measure.finalize`."""
        ratio: Array = 1.0 - state.max(axis=-1) / state.sum(axis=-1)
        return ratio
