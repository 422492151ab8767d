"""Index of the most likely class."""

from dataclasses import dataclass
from typing import Any

from service.core.entropy import as_distribution
from service.core.measures.base import CLASSIFICATION, Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class PredictedClass(Measure):
    """Index of the class with the largest mean probability.

    argmax_k E_p p(y = k|x, w_p), from 0 to K - 1; of equal ones the first. Of a single sigmoid
    output, and for each element of a multi-label output, it is 1 if the mean probability is above
    1/2, else 0.
    """

    name = "predicted_class"
    unit = "1"
    dtype = "int64"
    tasks = CLASSIFICATION

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        index: Array = as_distribution(found.moments.mean).argmax(axis=-1)
        return index
