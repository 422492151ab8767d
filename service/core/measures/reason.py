"""Why an answer is accepted, or not."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.measures.accept import Accept, selection_of
from service.core.measures.base import Array, Sampled


@dataclass(frozen=True)
class Reason(Accept):
    """Why the answer is accepted or not, in words.

    On which side of the threshold of `accept` its measure is: "predictive_entropy is above 0.35".
    Of several values for a row it is the least certain one.
    """

    name = "reason"
    dtype = "string"

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        rule = selection_of(found)
        sides = ("at most", "above") if rule.at_most else ("at least", "below")
        right, wrong = (f"{rule.measure} is {side} {rule.threshold:.4g}" for side in sides)
        return np.where(super().finalize(state, found), right, wrong)
