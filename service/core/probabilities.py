"""Whether numbers are probabilities, which the measures of a classification take for granted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.tolerances import LEAST, PROBABILITY_SUM


def are_probabilities(values: NDArray[Any], task: str) -> bool:
    """Whether (…, K) numbers are what a task takes for probabilities; NaN is not.

    - classification: from 0 to 1 but for rounding, with a sum of 1 over the K classes; a single
      one, K = 1, is the probability of the second of two classes;
    - multilabel_classification: each from 0 to 1.
    """
    exact = values.astype(np.float64, copy=False)
    if not ((exact >= -LEAST) & (exact <= 1 + LEAST)).all():
        return False
    if task == "multilabel_classification" or exact.shape[-1] == 1:
        return True
    return bool(np.allclose(exact.sum(axis=-1), 1.0, rtol=0, atol=PROBABILITY_SUM))
