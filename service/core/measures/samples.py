"""The output of every pass."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.measures.base import Array, Measure, Needs, Sampled
from service.core.measures.facts import Shape


@dataclass(frozen=True)
class Samples(Measure):
    """The output of every pass, in their order.

    f(x, w_p), for quantities that no measure gives; of inner masks, those of a pass one after the
    other. With the same seed, more passes begin with the fewer. The answer grows with the number
    of passes and must fit into the server's limit on rows and answer. Of a row that a stopping rule
    ended, NaN (null in JSON) follows its last pass. If all passes agree, all samples are equal.
    """

    name = "samples"
    unit = "output"
    needs = Needs.SAMPLES

    def shape(self, output: Shape) -> Shape:
        """(B, P, …) of (B, …) outputs."""
        return (output[0], None, *output[1:])

    def elements(self, values: Shape, samples: int) -> int:
        """See `Measure.elements`."""
        return samples * super().elements(values, samples)

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        if found.samples is None:
            raise ValueError("samples are kept to the end")
        count = found.moments.count * found.moments.inner
        shape = (count, *found.samples.shape[1:])  # one stands for equal ones
        return np.broadcast_to(found.samples, shape).swapaxes(0, 1).astype(np.float64)
