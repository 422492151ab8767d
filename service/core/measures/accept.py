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
    answers (Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks"). A row
    is judged as a whole: of a measure with several values for it, such as one for each label of a
    multi-label output, that of the least certain one counts. The metadata of the model has the
    measure, the threshold, and what is guaranteed.
    """

    name = "accept"
    unit = "1"
    dtype = "bool"
    part = "threshold for accepted answers"

    @classmethod
    def fitted(cls, calibration: Calibration) -> bool:
        """See `OfCalibration.fitted`."""
        return calibration.selection is not None

    def shape(self, output: Shape) -> Shape:
        """(B,)."""
        return output[:1]

    def based_on(self, facts: Facts) -> AskedMeasure | None:
        """See `Measure.based_on`."""
        chosen = facts.calibration and facts.calibration.selection
        return chosen.measure if chosen else None

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        rule = selection_of(found)
        values = least_certain(state, rule.at_most)
        return np.asarray(values <= rule.threshold if rule.at_most else values >= rule.threshold)


def least_certain(values: Array, certain_low: bool) -> Array:
    """(B,) of (B, …) values of a measure: that of a row's least certain element.

    Args:
        values: of the measure.
        certain_low: whether low values are the certain ones.
    """
    flat = values.reshape(len(values), -1)
    return np.asarray(flat.max(axis=1) if certain_low else flat.min(axis=1))


def selection_of(found: Sampled) -> Selection:
    """The rule of an output that has one."""
    rule = calibration_of(found).selection
    if rule is None:
        raise ValueError("an output without a threshold lacks the measure")
    return rule
