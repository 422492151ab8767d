"""Smallest value of an output over the passes."""

from dataclasses import dataclass

import numpy as np

from service.core.measures.extreme import Extreme


@dataclass(frozen=True)
class Min(Extreme):
    """Smallest value of each element over the passes.

    min_p f(x, w_p). It moves down with more passes, so compare it only between answers with the
    same number of them; `quantiles` do not depend on it. If all passes agree, it is the mean.
    """

    name = "min"
    kept = np.minimum
