"""Random divisions of held-out rows into those that calibrate and those that test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.calibration.pools import Pool
from service.core.calibration import Calibration
from service.core.conformal import class_scores, widened
from service.core.entropy import as_distribution
from service.core.measures.facts import Facts
from service.core.measures.interval import central
from service.core.normal import mixture_quantile
from service.core.temperature import tempered
from service.errors import FittingError
from service.evaluation.metrics.regression import inside
from service.fitting.asked import Asked
from service.fitting.classification import ClassificationFit
from service.fitting.regression import RegressionFit
from service.fitting.seen import Seen, halves
from service.fitting.selection import Judged, accepted, threshold_of_risk
from service.fitting.task import TaskFit

Array = NDArray[Any]

#: Of sets and intervals.
COVERAGE = 0.9


@dataclass(frozen=True)
class Divided:
    """One division.

    Attributes:
        calibrate, test: half of the rows each.
    """

    calibrate: Seen
    test: Seen


def divisions(pool: Pool, count: int) -> Iterator[Divided]:
    """Random divisions of a pool, always the same."""
    rng, rows = np.random.default_rng(7), len(pool.rows)
    for _ in range(count):
        order = rng.permutation(rows)
        yield Divided(pool.rows.take(order[: rows // 2]), pool.rows.take(order[rows // 2 :]))


def scaled(task: TaskFit, rows: Seen) -> Facts:
    """The facts of the output, with what was fitted to the first half of some rows."""
    found = task.scaling(rows.take(halves(len(rows))[0]))
    noise = found.noise_precision and 1 / found.noise_precision
    known = Calibration(temperature=found.temperature)
    return replace(task.facts, noise=noise, calibration=known)


def metrics(task: TaskFit, parts: Divided) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Metrics of the test rows before and after."""
    facts = scaled(task, parts.calibrate)
    return task.metrics(parts.test, task.facts), task.metrics(parts.test, facts)


def sets(task: TaskFit, parts: Divided) -> tuple[float, float]:
    """Coverage and mean size of the sets of the test rows."""
    facts = scaled(task, parts.calibrate)
    held = parts.calibrate.take(halves(len(parts.calibrate))[1])
    (rule,) = task.rules(held, facts, {}).sets
    temperature = facts.calibration and facts.calibration.temperature
    p = as_distribution(tempered(parts.test.mean, temperature or 1.0))
    members = class_scores(rule.method, p) <= rule.threshold
    covered = np.take_along_axis(members, parts.test.targets[:, None], axis=1)
    return float(covered.mean()), float(members.sum(axis=1).mean())


def intervals(task: TaskFit, parts: Divided) -> tuple[float, float]:
    """Coverage and mean width of the intervals of the test rows."""
    facts = scaled(task, parts.calibrate)
    held = parts.calibrate.take(halves(len(parts.calibrate))[1])
    (rule,) = task.rules(held, facts, {COVERAGE: _base(task, held, facts)}).intervals
    ends = widened(rule.rule, parts.test.mean, _base(task, parts.test, facts))
    low, high = ends[..., 0], ends[..., 1]
    return float(inside(low, high, parts.test.targets).mean()), float((high - low).mean())


def risk(parts: Divided, target: float, confidence: float) -> tuple[float, float] | None:
    """Risk and share of the accepted test rows; None: no threshold reaches the target."""
    calibrate, test = (_judged(rows) for rows in (parts.calibrate, parts.test))
    try:
        chosen = threshold_of_risk(calibrate, target, confidence)
    except FittingError:
        return None
    found = accepted(test, chosen.threshold)
    return found.errors / max(found.rows, 1), found.share


def classification(pool: Pool, **asked: Any) -> ClassificationFit:
    """What is fitted to the predictions of classes."""
    return ClassificationFit(pool.facts, Asked(coverages=(COVERAGE,), **asked))


def regression(pool: Pool, **asked: Any) -> RegressionFit:
    """What is fitted to the predictions of numbers."""
    return RegressionFit(pool.facts, Asked(coverages=(COVERAGE,), **asked))


def _base(task: TaskFit, rows: Seen, facts: Facts) -> Array:
    """What the intervals are based on; see `interval_scores`. The noise is constant."""
    noise = facts.noise if isinstance(facts.noise, float) else 0.0
    if "cqr" not in task.methods:
        return np.sqrt(rows.variance + noise)
    samples = np.moveaxis(rows.measures["samples"], 1, 0)
    of_noise = np.full_like(samples, noise, np.float64)
    ends = [mixture_quantile(samples, of_noise, level) for level in central(COVERAGE)]
    return np.stack(ends, axis=-1)


def _judged(rows: Seen) -> Judged:
    doubt = rows.measures["predictive_entropy"]
    return Judged(doubt, rows.mean.argmax(axis=1) != rows.targets)
