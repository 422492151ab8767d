"""Whether an answer is accepted."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.calibration import Calibration, Selection
from service.core.measures.base import Array, Sampled
from service.core.measures.facts import Facts, Shape
from service.core.measures.of_calibration import OfCalibration, calibration_of
from service.protocol.options import AskedMeasure


@dataclass(frozen=True)
class Accept(OfCalibration):
    """Whether the answer is accepted; if not, the model abstains.

    A measure is on the right side of the threshold of the model's calibration, which was chosen
    for a risk, the share of errors among accepted answers, or for a coverage, the share of accepted
    answers (Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks"). The
    metadata of the model has the measure, the threshold, and what is guaranteed.
    """

    name = "accept"
    unit = "1"
    dtype = "bool"
    follows = True
    part = "threshold for accepted answers"

    @classmethod
    def fitted(cls, calibration: Calibration) -> bool:
        """See `OfCalibration.fitted`."""
        return calibration.selection is not None

    def shape(self, output: Shape) -> Shape:
        """That of the measure, of one with a value for each output element."""
        return output

    def based_on(self, facts: Facts) -> AskedMeasure | None:
        """See `Measure.based_on`."""
        chosen = facts.calibration and facts.calibration.selection
        return chosen.measure if chosen else None

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        rule = selection_of(found)
        return np.asarray(state <= rule.threshold if rule.at_most else state >= rule.threshold)


def selection_of(found: Sampled) -> Selection:
    """The rule of an output that has one."""
    rule = calibration_of(found).selection
    if rule is None:
        raise ValueError("an output without a threshold lacks the measure")
    return rule
