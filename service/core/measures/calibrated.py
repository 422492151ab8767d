"""Calibrated class probabilities."""

from dataclasses import dataclass
from typing import Any

from service.core.calibration import Calibration
from service.core.measures.base import CLASSIFICATION, Array, Sampled
from service.core.measures.facts import Shape
from service.core.measures.of_calibration import OfCalibration, calibration_of
from service.core.temperature import tempered


@dataclass(frozen=True)
class Calibrated(OfCalibration):
    """Mean class probabilities with the temperature of the model's calibration.

    p^(1/T), normalized, of the mean p over passes: what logits give that are divided by T (Guo et
    al. 2017). Of a single sigmoid output it is the probability of the second class, and of each
    element of a multi-label output that of its label: T divides the logit ln(p/(1 - p)). The most
    likely class stays the same. With T = 1 it is the mean.
    """

    name = "calibrated"
    unit = "1"
    tasks = CLASSIFICATION
    of_elements = True
    part = "temperature"

    @classmethod
    def fitted(cls, calibration: Calibration) -> bool:
        """See `OfCalibration.fitted`."""
        return calibration.temperature is not None

    def shape(self, output: Shape) -> Shape:
        """That of the output."""
        return output

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        return calibrated(found)


def calibrated(found: Sampled) -> Array:
    """(B, …, K) or (B, …, 1) probabilities; without a temperature the mean."""
    temperature = calibration_of(found).temperature
    return found.moments.mean if temperature is None else tempered(found.moments.mean, temperature)
