"""Mutual information of prediction and weights: epistemic uncertainty of a classification."""

from dataclasses import dataclass

import numpy as np

from service.core.entropy import entropy
from service.core.measures.base import Array, Sampled
from service.core.measures.expected_entropy import ExpectedEntropy
from service.core.ordered_sum import OrderedSum


@dataclass(frozen=True)
class MutualInformation(ExpectedEntropy):
    """Mutual information of prediction and weights (BALD): epistemic uncertainty.

    H[E_p p(y|x, w_p)] - E_p H[p(y|x, w_p)] (Houlsby et al. 2011), from 0 to the predictive
    entropy. Clipped at 0, because rounding may give about -1e-17 if all passes agree.
    """

    name = "mutual_information"

    def finalize(self, state: OrderedSum, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        information: Array = entropy(found.moments.mean) - super().finalize(state, found)
        return np.maximum(information, 0.0)
