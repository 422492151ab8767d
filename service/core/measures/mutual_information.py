"""Mutual information of prediction and weights: epistemic uncertainty of a classification."""

from dataclasses import dataclass

import numpy as np

from service.core.entropy import entropy
from service.core.measures.base import Array, Measure, Needs, Rows, Shape
from service.core.moments import Moments
from service.core.ordered_sum import OrderedSum


@dataclass(frozen=True)
class MutualInformation(Measure):
    """Mutual information of prediction and weights (BALD): epistemic uncertainty.

    H[E_p p(y|x, w_p)] - E_p H[p(y|x, w_p)] (Houlsby et al. 2011), from 0 to the predictive
    entropy. Clipped at 0, because rounding may give about -1e-17 if all passes agree.
    """

    name = "mutual_information"
    unit = "nats"
    tasks = frozenset({"classification"})
    needs = Needs.STREAM

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def init(self, samples: Array) -> OrderedSum:
        """The sum of the entropies of each pass."""
        return OrderedSum.zero(samples.shape[1:-1])

    def update(self, state: OrderedSum, samples: Array) -> OrderedSum:
        """See `Measure.update`."""
        return state.add(entropy(samples))

    def take(self, state: OrderedSum, rows: Rows) -> OrderedSum:
        """See `Measure.take`."""
        return state.rows(rows)

    def finalize(self, state: OrderedSum, moments: Moments, samples: Array | None) -> Array:
        """See `Measure.finalize`."""
        expected = state.value / state.terms
        return np.maximum(entropy(moments.mean) - expected, 0.0)
