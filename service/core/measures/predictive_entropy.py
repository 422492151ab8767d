"""Predictive entropy: total uncertainty of a classification."""

from dataclasses import dataclass
from typing import Any

from service.core.entropy import entropy
from service.core.measures.base import Array, Measure, Shape
from service.core.moments import Moments


@dataclass(frozen=True)
class PredictiveEntropy(Measure):
    """Entropy of the mean class probabilities: total uncertainty.

    H[E_p p(y|x, w_p)] (Gal 2016, *Uncertainty in Deep Learning*, eq. 3.8); from 0 to ln K.
    """

    name = "predictive_entropy"
    unit = "nats"
    tasks = frozenset({"classification"})

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def finalize(self, state: Any, moments: Moments, samples: Array | None) -> Array:
        """See `Measure.finalize`."""
        return entropy(moments.mean)
