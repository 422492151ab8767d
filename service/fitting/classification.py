"""What is fitted to a classification."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import SetSpec
from service.core.calibration import SetMethod
from service.core.conformal import class_scores
from service.core.entropy import as_distribution
from service.core.measures.facts import Facts
from service.core.measures.predictive_entropy import PredictiveEntropy
from service.core.temperature import tempered
from service.errors import InputError
from service.evaluation.metrics import classification as metrics
from service.evaluation.metrics.calibration import ece
from service.fitting.asked import Asked
from service.fitting.conformal import (
    cross_fitted,
    label_scores,
    largest,
    of_classes,
    set_scores,
    threshold,
)
from service.fitting.seen import Seen
from service.fitting.task import Rules, Scaling, TaskFit
from service.fitting.temperature import fit_temperature

Array = NDArray[Any]


class ClassificationFit(TaskFit):
    """Fits a temperature, and prediction sets; (N, …, K) probabilities, or (N, …, 1).

    Of several predictions for a row, sets with a coverage c hold the classes of all of them at
    once with a probability of at least c.
    """

    #: Methods of prediction sets that the task has.
    known: ClassVar[tuple[SetMethod, ...]] = ("aps", "lac")

    def __init__(self, facts: Facts, asked: Asked) -> None:
        """See `TaskFit`.

        Raises:
            InputError: what is asked for is not of the task.
        """
        super().__init__(facts, asked)
        if asked.intervals is not None:
            raise InputError("intervals are of a regression; a classification has sets.")
        if asked.error_tolerance is not None:
            raise InputError("error_tolerance is of a regression; here a wrong class is an error.")
        self.methods: tuple[SetMethod, ...] = self.known if asked.sets is None else asked.sets

    def losses(self, rows: Seen) -> Array:
        """See `TaskFit.losses`; the mean of a row's predictions."""
        p = _probabilities(rows, self.scaling(rows).temperature)
        found = metrics.nll(p, _labels(rows))
        return np.asarray(found.reshape(len(rows), -1).mean(axis=1))

    def scaling(self, rows: Seen) -> Scaling:
        """See `TaskFit.scaling`."""
        p = _probabilities(rows)
        return Scaling(fit_temperature(p.reshape(-1, p.shape[-1]), _labels(rows).ravel()))

    def certainty(self, facts: Facts) -> str:
        """See `TaskFit.certainty`."""
        return PredictiveEntropy.name

    def rules(self, rows: Seen, facts: Facts, bases: Mapping[float, Array]) -> Rules:
        """See `TaskFit.rules`."""
        p, sets, found = _probabilities(rows, _temperature(facts)), [], {}
        for method in self.methods:
            scores, fitted, tried = self._scores(method, p, rows)
            for coverage in self.asked.coverages:
                at = threshold(fitted, coverage)
                sets.append(SetSpec(method=method, coverage=coverage, threshold=at))
                size, covered = self.names(("set_size", "set_coverage"), coverage, method)
                found[size] = float((scores <= at).sum(axis=-1).mean())
                found |= cross_fitted(fitted, tried, coverage, covered)
        return Rules(sets=tuple(sets), metrics=found)

    def _scores(self, method: SetMethod, p: Array, rows: Seen) -> tuple[Array, Array, Array]:
        """Scores that sets are made of.

        Returns:
            (N, …, C) of all that a set may hold; and of rows, (N,) that choose a threshold, and
            (N,) that are compared with it.
        """
        scores = class_scores(method, p)
        tried = largest(of_classes(scores, rows.targets))
        return scores, set_scores(method, p, rows.targets), tried

    def wrong(self, rows: Seen) -> Array:
        """See `TaskFit.wrong`."""
        return largest(metrics.wrong(_probabilities(rows), _labels(rows))) > 0

    def metrics(self, rows: Seen, facts: Facts) -> Mapping[str, float]:
        """See `TaskFit.metrics`."""
        p = _probabilities(rows, _temperature(facts))
        p, labels = p.reshape(-1, p.shape[-1]), _labels(rows).ravel()
        right = 1 - metrics.wrong(p, labels)
        exact = right.reshape(len(rows), -1)
        several = {"exact_match": float(exact.min(axis=1).mean())} if exact.shape[1] > 1 else {}
        return {
            "accuracy": float(right.mean()),
            **several,
            "nll": float(metrics.nll(p, labels).mean()),
            "brier": float(metrics.brier(p, labels).mean()),
            "ece": float(ece(p.max(axis=1), right)(np.ones((len(labels), 1)))[0]),
        }


class MultilabelFit(ClassificationFit):
    """Fits one temperature to all labels, and sets that hold all true labels of a row at once."""

    known = ("lac",)

    def __init__(self, facts: Facts, asked: Asked) -> None:
        """See `ClassificationFit`."""
        super().__init__(facts, asked)
        if unknown := set(self.methods) - set(self.known):
            raise InputError(
                f"sets has {unknown.pop()!r}, which orders classes of which one is true; sets of a "
                "multi-label classification are made by lac."
            )

    def _scores(self, method: SetMethod, p: Array, rows: Seen) -> tuple[Array, Array, Array]:
        """See `ClassificationFit`; the second of two classes is to have the label."""
        of_rows = label_scores(p[..., 1], rows.targets)
        return class_scores(method, p)[..., 1], of_rows, of_rows


def _probabilities(rows: Seen, temperature: float | None = None) -> Array:
    """(N, …, C) of all classes."""
    return as_distribution(tempered(rows.mean, temperature or 1.0))


def _labels(rows: Seen) -> Array:
    """(N, …) indices of the classes; of labels 0 and 1."""
    return rows.targets.astype(np.int64)


def _temperature(facts: Facts) -> float | None:
    return None if facts.calibration is None else facts.calibration.temperature
