"""Label of the most likely class."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.measures.base import Array, Sampled
from service.core.measures.facts import Facts
from service.core.measures.predicted_class import PredictedClass


@dataclass(frozen=True)
class Label(PredictedClass):
    """Label of the class with the largest mean probability.

    The model's label of `predicted_class`. Of a single sigmoid output the first label is that of
    class 0 and the second that of class 1. For each element of a multi-label output it is the
    element's label if its mean probability is above 1/2, else the empty string. A model without
    labels does not have it.
    """

    name = "label"
    dtype = "string"

    @classmethod
    def lacks(cls, facts: Facts) -> str | None:
        """See `Measure.lacks`."""
        if facts.classes is None:
            return "the model has no labels. Set them with mcdropout annotate MODEL --labels"
        return super().lacks(facts)

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        if found.classes is None:
            raise ValueError("a model without labels lacks it")
        index = super().finalize(state, found)[..., None]
        names = np.broadcast_to(found.classes, (*index.shape[:-1], found.classes.shape[-1]))
        return np.take_along_axis(names, index, axis=-1)[..., 0]
