"""Epistemic variance of a regression."""

from dataclasses import dataclass
from typing import Any

from service.core.measures.base import REGRESSION, Array, Measure, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Epistemic(Measure):
    """Variance of the predicted mean over the passes: epistemic uncertainty.

    Var_p E[y|x, w_p], by the unbiased sample variance: what more training data could remove. It
    is the `variance` of an output that is the mean alone, and of the mean's part of an output
    that has the noise, too. If all passes agree, it is 0.
    """

    name = "epistemic"
    unit = "output²"
    tasks = REGRESSION
    certain = "low"

    def shape(self, output: Shape) -> Shape:
        """That of the mean."""
        return output

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return found.moments.variance
