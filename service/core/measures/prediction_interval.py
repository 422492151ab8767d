"""Conformal prediction interval of a regression."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from service.core.calibration import Calibration, ConformalInterval, IntervalMethod
from service.core.conformal import widened
from service.core.measures.base import REGRESSION, Array, Sampled
from service.core.measures.facts import Facts, Shape
from service.core.measures.interval import Interval
from service.core.measures.of_calibration import Covering, calibration_of
from service.core.measures.predictive_interval import PredictiveInterval
from service.core.measures.std import Std
from service.core.measures.total import Total
from service.protocol.options import AskedMeasure


@dataclass(frozen=True)
class PredictionInterval(Covering):
    """Interval that an observation lies in with a given probability.

    By split-conformal prediction with a threshold of the model's calibration, which is right
    whatever the distribution (see `service.core.conformal`). Method "absolute" has the same width
    for all rows, "normalized" a multiple of the standard deviation of an observation, and "cqr"
    moves the ends of the `predictive_interval`. Where the noise is not known, the standard
    deviation and the interval over passes take their place. The probability is that over rows like
    those of the calibration, not that of each row, and says nothing of rows beyond its data.

    Attributes:
        coverage: the probability, one of those of the calibration; by default its first.
        method: "absolute", "normalized" or "cqr", likewise.
    """

    name = "prediction_interval"
    unit = "output"
    tasks = REGRESSION
    part = "prediction intervals"
    methods = get_args(IntervalMethod)

    @classmethod
    def fitted(cls, calibration: Calibration) -> bool:
        """See `OfCalibration.fitted`."""
        return bool(calibration.intervals)

    def shape(self, output: Shape) -> Shape:
        """(B, …, 2), the lower and the upper end for each element of the mean."""
        return (*output, 2)

    def based_on(self, facts: Facts) -> AskedMeasure | None:
        """See `Measure.based_on`."""
        if facts.calibration is None:
            return None
        rule, has_noise = self._rule(facts.calibration), facts.noise is not None
        if rule.method == "normalized":
            return Total.name if has_noise else Std.name
        if rule.method == "cqr":
            return {(PredictiveInterval if has_noise else Interval).name: rule.coverage}
        return None

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        rule = self._rule(calibration_of(found))
        if rule.method == "normalized" and found.noise is not None:
            state = np.sqrt(state)  # of the total variance
        return widened(rule, found.moments.mean, state)

    def _rule(self, calibration: Calibration) -> ConformalInterval:
        return self.rule_of(calibration.intervals)
