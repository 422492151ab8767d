"""Predictive interval of a regression."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.measures.base import REGRESSION, Array, Measure, Needs, Sampled
from service.core.measures.facts import Shape
from service.core.measures.interval import central
from service.core.measures.quantiles import is_level
from service.core.normal import mixture_quantile


@dataclass(frozen=True)
class PredictiveInterval(Measure):
    """Central interval that an observation lies in with a given probability.

    The quantiles at (1 - level)/2 and (1 + level)/2 of the predictive distribution, a mixture of
    one normal distribution for each pass, (1/P) Σ_p N(μ_p, σ_p²): the pass's mean, and its noise
    (see `aleatoric`). Solved until the probability below a quantile is within 1e-9 of its level.
    Unlike `interval` it has the noise. If all passes agree, it is that of one normal
    distribution, μ ± z σ.

    Attributes:
        level: the probability, from 0 to below 1.
    """

    level: float = 0.9

    name = "predictive_interval"
    unit = "output"
    tasks = REGRESSION
    needs = Needs.SAMPLES
    reads_noise = True

    def __post_init__(self) -> None:
        """Check the level.

        Raises:
            InputError: it is not a number from 0 to below 1.
        """
        if not is_level(self.level) or self.level == 1:
            raise self.refusal(f"level {self.level!r:.40}", "a number from 0 to below 1")
        object.__setattr__(self, "level", float(self.level))

    def shape(self, output: Shape) -> Shape:
        """(B, …, 2), the lower and the upper end for each element of the mean."""
        return (*output, 2)

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        if found.samples is None or found.noise is None or found.noise.samples is None:
            raise ValueError("it is made from all samples of mean and noise")
        both = found.samples, found.noise.samples
        ends = [mixture_quantile(*both, level) for level in central(self.level)]
        return np.stack(ends, axis=-1)
