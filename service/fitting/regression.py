"""What is fitted to a regression."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import IntervalSpec
from service.core.calibration import IntervalMethod
from service.core.conformal import interval_scores, widened
from service.core.measures.facts import Facts, NoiseOutput
from service.core.measures.interval import Interval
from service.core.measures.predictive_interval import PredictiveInterval
from service.core.measures.std import Std
from service.core.measures.total import Total
from service.errors import InputError
from service.evaluation.metrics import regression as metrics
from service.fitting.asked import Asked
from service.fitting.conformal import cross_fitted, largest, outwards, threshold
from service.fitting.noise_precision import fit_noise_precision
from service.fitting.seen import Seen
from service.fitting.task import Rules, Scaling, TaskFit
from service.protocol.options import AskedMeasure

Array = NDArray[Any]


class RegressionFit(TaskFit):
    """Fits a noise precision, unless the model says its noise, and prediction intervals.

    An interval with a coverage c holds all elements of a row's target at once with a probability
    of at least c.
    """

    def __init__(self, facts: Facts, asked: Asked) -> None:
        """See `TaskFit`.

        Raises:
            InputError: what is asked for is not of the task.
        """
        super().__init__(facts, asked)
        if asked.sets is not None:
            raise InputError("sets are of a classification; a regression has intervals.")
        self.methods: tuple[IntervalMethod, ...] = asked.intervals or ("normalized", "absolute")

    @property
    def first_measures(self) -> Sequence[str]:
        """See `TaskFit.first_measures`."""
        return [Total.name] if isinstance(self.facts.noise, NoiseOutput) else []

    def losses(self, rows: Seen) -> Array:
        """See `TaskFit.losses`; the mean of a row's elements."""
        precision = self.scaling(rows).noise_precision
        noise = self.facts.noise if precision is None else 1 / precision
        found = metrics.nll_of_normal(rows.mean, _variance(rows, noise), rows.targets)
        return np.asarray(found.reshape(len(rows), -1).mean(axis=1))

    def scaling(self, rows: Seen) -> Scaling:
        """See `TaskFit.scaling`."""
        if self.facts.noise is not None:
            return Scaling()
        found = fit_noise_precision(rows.targets - rows.mean, rows.variance)
        if found is not None:
            return Scaling(noise_precision=found)
        note = (
            "no noise precision was fitted: the variance over passes is at least the squared "
            "error, so that no noise is left. Intervals are conformal all the same."
        )
        return Scaling(notes=(note,))

    def certainty(self, facts: Facts) -> str:
        """See `TaskFit.certainty`."""
        return Std.name if facts.noise is None else Total.name

    def base(self, coverage: float, facts: Facts) -> AskedMeasure | None:
        """See `TaskFit.base`."""
        if "cqr" not in self.methods:
            return None
        known = facts.noise is not None
        return {(PredictiveInterval if known else Interval).name: coverage}

    def rules(self, rows: Seen, facts: Facts, bases: Mapping[float, Array]) -> Rules:
        """See `TaskFit.rules`."""
        deviation = np.sqrt(_variance(rows, facts.noise))
        if "normalized" in self.methods and not (deviation > 0).all():
            raise InputError(
                "some rows have a standard deviation of 0, which gives no normalized interval. "
                "Use more passes, or another method of intervals."
            )
        intervals, found = [], {}
        for method, coverage in product(self.methods, self.asked.coverages):
            base = bases[coverage] if method == "cqr" else deviation
            both = interval_scores(method, rows.mean, base, rows.targets)
            scores = largest(np.maximum(*both))
            at = outwards(threshold(scores, coverage))
            intervals.append(IntervalSpec(method=method, coverage=coverage, threshold=at))
            ends = widened(intervals[-1].rule, rows.mean, base)
            width, inside = self.names(("mpiw", "picp"), coverage, method)
            found[width] = float((ends[..., 1] - ends[..., 0]).mean())
            found |= cross_fitted(scores, scores, coverage, inside)
        return Rules(intervals=tuple(intervals), metrics=found)

    def wrong(self, rows: Seen) -> Array:
        """See `TaskFit.wrong`."""
        if self.asked.error_tolerance is None:
            raise InputError(
                "the risk of a regression is the share of errors above a tolerance: give "
                "error_tolerance (--error-tolerance), in the unit of the output."
            )
        return largest(np.abs(rows.targets - rows.mean)) > self.asked.error_tolerance

    def metrics(self, rows: Seen, facts: Facts) -> Mapping[str, float]:
        """See `TaskFit.metrics`; intervals are those of a normal distribution."""
        variance = _variance(rows, facts.noise)
        found = {
            "rmse": math.sqrt(float(np.square(rows.targets - rows.mean).mean())),
            "nll": float(metrics.nll_of_normal(rows.mean, variance, rows.targets).mean()),
            "crps": float(metrics.crps_of_normal(rows.mean, variance, rows.targets).mean()),
        }
        for coverage in self.asked.coverages:
            half = NormalDist().inv_cdf((1 + coverage) / 2) * np.sqrt(variance)
            inside = metrics.inside(rows.mean - half, rows.mean + half, rows.targets)
            found[f"picp_{coverage:g}"] = float(inside.reshape(len(rows), -1).min(axis=1).mean())
            found[f"mpiw_{coverage:g}"] = float(2 * half.mean())
        return {name: value for name, value in found.items() if math.isfinite(value)}


def _variance(rows: Seen, noise: NoiseOutput | float | None) -> Array:
    """(N, …) of an observation, where the noise is known; else over passes."""
    if isinstance(noise, NoiseOutput):
        return rows.measures[Total.name]
    return rows.variance + (noise or 0.0)
