"""Largest value of an output over the passes."""

from dataclasses import dataclass

import numpy as np

from service.core.measures.extreme import Extreme


@dataclass(frozen=True)
class Max(Extreme):
    """Largest value of each element over the passes.

    max_p f(x, w_p). It moves up with more passes, so compare it only between answers with the
    same number of them; `quantiles` do not depend on it. If all passes agree, it is the mean.
    """

    name = "max"
    kept = np.maximum
