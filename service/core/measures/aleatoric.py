"""Aleatoric variance of a regression."""

from dataclasses import dataclass
from typing import Any

from service.core.measures.base import REGRESSION, Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Aleatoric(Measure):
    """Variance of the targets' noise: aleatoric uncertainty.

    E_p Var[y|x, w_p]. For a model that predicts its noise (task `heteroscedastic_regression`) it
    is the mean over passes of the predicted variance (Kendall & Gal 2017, eq. 9); for another
    regression it is 1/τ, with the noise precision τ of the manifest (Gal & Ghahramani 2016,
    section 4). A model of which neither is known does not have it.
    """

    name = "aleatoric"
    unit = "output²"
    tasks = REGRESSION
    certain = "low"
    reads_noise = True

    def shape(self, output: Shape) -> Shape:
        """That of the mean."""
        return output

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        if found.noise is None:
            raise ValueError("a model without noise lacks it")
        return found.noise.moments.mean
