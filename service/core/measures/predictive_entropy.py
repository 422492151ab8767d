"""Predictive entropy: total uncertainty of a classification."""

from dataclasses import dataclass
from typing import Any

from service.core.entropy import entropy
from service.core.measures.base import CLASSIFICATION, Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class PredictiveEntropy(Measure):
    """Entropy of the mean class probabilities: total uncertainty.

    H[E_p p(y|x, w_p)] (Gal 2016, *Uncertainty in Deep Learning*, section 3.3.1), from 0 to ln K. It
    is the sum of `expected_entropy` (aleatoric) and `mutual_information` (epistemic).
    """

    name = "predictive_entropy"
    unit = "nats"
    tasks = CLASSIFICATION
    certain = "low"

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return entropy(found.moments.mean)
