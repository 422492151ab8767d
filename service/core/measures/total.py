"""Total variance of a regression."""

from dataclasses import dataclass
from typing import Any

from service.core.measures.aleatoric import Aleatoric
from service.core.measures.base import Array, Sampled


@dataclass(frozen=True)
class Total(Aleatoric):
    """Variance of an observation: total uncertainty.

    Var_p E[y|x, w_p] + E_p Var[y|x, w_p], by the law of total variance: the sum of `epistemic` and
    `aleatoric` (Gal & Ghahramani 2016, section 4; Kendall & Gal 2017, eq. 9, both with the
    biased sample variance). If all passes agree, it is the noise alone.
    """

    name = "total"

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return found.moments.variance + super().finalize(state, found)
