"""Probability of the most likely class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.entropy import as_distribution
from service.core.measures.base import CLASSIFICATION, Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Confidence(Measure):
    """Mean probability of the predicted class.

    max_k E_p p(y = k|x, w_p), from 1/K, if all classes are equally likely, to 1; 1 minus it is the
    "least confidence" of active learning (Lewis & Gale 1994). Of a single sigmoid output it is
    the larger one of p and 1 - p.
    """

    name = "confidence"
    unit = "1"
    tasks = CLASSIFICATION
    certain = "high"

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        largest: Array = np.max(as_distribution(found.moments.mean), axis=-1)
        return largest
