"""What is fitted to a classification."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import SetSpec
from service.core.conformal import class_scores
from service.core.entropy import as_distribution
from service.core.measures.facts import Facts
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.temperature import tempered
from service.errors import InputError
from service.evaluation.metrics import classification as metrics
from service.evaluation.metrics.calibration import ece
from service.fitting.conformal import cross_fitted, set_scores, threshold
from service.fitting.seen import Seen
from service.fitting.task import Rules, Scaling, TaskFit
from service.fitting.temperature import fit_temperature

Array = NDArray[Any]


class ClassificationFit(TaskFit):
    """Fits a temperature, and prediction sets; (N, …, K) probabilities, or (N, …, 1)."""

    def losses(self, rows: Seen) -> Array:
        """See `TaskFit.losses`; the mean of a row's predictions."""
        p = _probabilities(rows, self.scaling(rows).temperature)
        found = metrics.nll(p, rows.targets)
        return np.asarray(found.reshape(len(rows), -1).mean(axis=1))

    def scaling(self, rows: Seen) -> Scaling:
        """See `TaskFit.scaling`."""
        p = _probabilities(rows)
        return Scaling(fit_temperature(p.reshape(-1, p.shape[-1]), rows.targets.ravel()))

    def certainty(self, facts: Facts) -> str:
        """See `TaskFit.certainty`."""
        return PredictiveEntropy.name

    def rules(self, rows: Seen, facts: Facts, bases: Mapping[float, Array]) -> Rules:
        """See `TaskFit.rules`; none of a model with several predictions for a row."""
        if rows.mean.ndim > 2:
            return Rules()
        method, p = self.asked.sets, _probabilities(rows, _temperature(facts))
        fitted = set_scores(method, p, rows.targets)
        of_classes = class_scores(method, p)
        of_targets = np.take_along_axis(of_classes, rows.targets[:, None], axis=1)[:, 0]
        sets, found = [], {}
        for coverage in self.asked.coverages:
            at = threshold(fitted, coverage)
            sets.append(SetSpec(method=method, coverage=coverage, threshold=at))
            found[f"set_size_{coverage:g}"] = float((of_classes <= at).sum(axis=1).mean())
            found |= cross_fitted(fitted, of_targets, coverage, f"set_coverage_{coverage:g}")
        return Rules(sets=tuple(sets), metrics=found)

    def wrong(self, rows: Seen) -> Array:
        """See `TaskFit.wrong`."""
        if self.asked.error_tolerance is not None:
            raise InputError("error_tolerance is of a regression; here a wrong class is an error.")
        return metrics.wrong(_probabilities(rows), rows.targets) > 0

    def metrics(self, rows: Seen, facts: Facts) -> Mapping[str, float]:
        """See `TaskFit.metrics`."""
        p = _probabilities(rows, _temperature(facts))
        p, labels = p.reshape(-1, p.shape[-1]), rows.targets.ravel()
        right = 1 - metrics.wrong(p, labels)
        once = np.ones((len(labels), 1))
        return {
            "accuracy": float(right.mean()),
            "nll": float(metrics.nll(p, labels).mean()),
            "brier": float(metrics.brier(p, labels).mean()),
            "ece": float(ece(p.max(axis=1), right)(once)[0]),
        }


def _probabilities(rows: Seen, temperature: float | None = None) -> Array:
    """(N, …, C) of all classes."""
    return as_distribution(tempered(rows.mean, temperature or 1.0))


def _temperature(facts: Facts) -> float | None:
    return None if facts.calibration is None else facts.calibration.temperature
