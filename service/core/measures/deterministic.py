"""The output with dropout off."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.measures.base import Array, Measure, Needs, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Deterministic(Measure):
    """The output with dropout off, beside the mean.

    f(x, E w): one pass in which every site leaves its data unchanged, as with `training` false,
    which is the inference output of the Keras model ("weight scaling", Srivastava et al. 2014). A
    network is not linear, so that it differs from the mean over passes. A model whose random
    numbers cannot all be switched off does not have it.
    """

    name = "deterministic"
    unit = "output"
    needs = Needs.OFF

    def shape(self, output: Shape) -> Shape:
        """That of the output."""
        return output

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        if found.off is None:
            raise ValueError("a pass with dropout off is run")
        return found.off.astype(np.float64)
