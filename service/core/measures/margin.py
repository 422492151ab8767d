"""Difference between the probabilities of the two most likely classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.entropy import as_distribution
from service.core.measures.base import CLASSIFICATION, Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Margin(Measure):
    """Mean probability of the predicted class, less that of the second most likely one.

    p₁ - p₂ of the sorted E_p p(y = k|x, w_p) (Scheffer, Decomain & Wrobel 2001), from 0, if two
    classes are equally likely, to 1.
    """

    name = "margin"
    unit = "1"
    tasks = CLASSIFICATION
    certain = "high"

    def shape(self, output: Shape) -> Shape:
        """(B, …) of (B, …, K) class probabilities."""
        return output[:-1]

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        second, first = np.moveaxis(np.sort(as_distribution(found.moments.mean))[..., -2:], -1, 0)
        difference: Array = first - second
        return difference
