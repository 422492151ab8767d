"""Conformal prediction set of a classification."""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from service.core.calibration import Calibration, SetMethod
from service.core.conformal import class_scores
from service.core.entropy import as_distribution
from service.core.measures.base import CLASSIFICATION, Array, Sampled
from service.core.measures.calibrated import calibrated
from service.core.measures.facts import Facts, Shape
from service.core.measures.of_calibration import Covering, calibration_of
from service.protocol.options import AskedMeasure


def members(inside: Array, names: NDArray[np.str_] | None) -> Array:
    """(…) lists of the names, or without names the indices, of what is in (…, K) sets.

    Args:
        inside: whether each class is in the set, or each label of a multi-label output.
        names: see `Facts.members`.
    """
    rows = inside.reshape(-1, inside.shape[-1])
    known: Array = np.arange(rows.shape[-1]) if names is None else names
    found = np.empty(len(rows), object)
    for index, row in enumerate(rows):
        found[index] = known[row].tolist()
    return found.reshape(inside.shape[:-1])


@dataclass(frozen=True)
class PredictionSet(Covering):
    """Set of classes that holds the true one with a given probability.

    The classes whose score is at most the threshold of the model's calibration, by split-conformal
    prediction (see `service.core.conformal`). Scores are of the calibrated probabilities, if there
    is a temperature, else of the mean. The probability is that over rows like those of the
    calibration, not that of each row. The set of a multi-label output holds labels, and all true
    ones at once with that probability; of a model with several predictions for a row there is a
    set for each, and all hold their true class at once. In arrays it is whether each class or
    label is in the set; in the JSON of a row, their labels, or without labels their indices.

    Attributes:
        coverage: the probability, one of those of the calibration; by default its first.
        method: of the scores, "aps" or "lac", likewise.
    """

    name = "prediction_set"
    unit = "1"
    dtype = "bool"
    tasks = CLASSIFICATION
    of_elements = True
    part = "prediction sets"
    methods = get_args(SetMethod)

    @classmethod
    def fitted(cls, calibration: Calibration) -> bool:
        """See `OfCalibration.fitted`."""
        return bool(calibration.sets)

    def shape(self, output: Shape) -> Shape:
        """(B, …, K) of (B, …, K) class probabilities; (B, …, 2) of a single sigmoid output."""
        return (*output[:-1], 2) if output[-1] == 1 else output

    def based_on(self, facts: Facts) -> AskedMeasure | None:
        """None, after a check of the arguments; see `Measure.based_on`."""
        if facts.calibration is not None:
            self.rule_of(facts.calibration.sets)
        return None

    def finalize(self, state: Any, found: Sampled) -> Array:
        """See `Measure.finalize`."""
        rule = self.rule_of(calibration_of(found).sets)
        scores = class_scores(rule.method, as_distribution(calibrated(found)))
        return np.asarray(scores <= rule.threshold)
