"""Random divisions of held-out rows into those that calibrate and those that test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.calibration.pools import Pool
from service.core.calibration import Calibration
from service.core.conformal import class_scores
from service.core.entropy import as_distribution
from service.core.measures.facts import Facts
from service.core.temperature import tempered
from service.errors import FittingError
from service.fitting.asked import Asked
from service.fitting.classification import ClassificationFit
from service.fitting.seen import Seen, halves
from service.fitting.selection import Judged, accepted, threshold_of_risk

Array = NDArray[Any]


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


def scaled(task: ClassificationFit, rows: Seen) -> Facts:
    """The facts of the output, with what was fitted to the first half of some rows."""
    found = task.scaling(rows.take(halves(len(rows))[0]))
    return replace(task.facts, calibration=Calibration(temperature=found.temperature))


def metrics(
    task: ClassificationFit, parts: Divided
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Metrics of the test rows before and after."""
    facts = scaled(task, parts.calibrate)
    return task.metrics(parts.test, task.facts), task.metrics(parts.test, facts)


def sets(task: ClassificationFit, parts: Divided) -> tuple[float, float]:
    """Coverage and mean size of the sets of the test rows."""
    facts = scaled(task, parts.calibrate)
    held = parts.calibrate.take(halves(len(parts.calibrate))[1])
    (rule,) = task.rules(held, facts, {}).sets
    temperature = facts.calibration and facts.calibration.temperature
    p = as_distribution(tempered(parts.test.mean, temperature or 1.0))
    inside = class_scores(rule.method, p) <= rule.threshold
    covered = np.take_along_axis(inside, parts.test.targets[:, None], axis=1)
    return float(covered.mean()), float(inside.sum(axis=1).mean())


def risk(parts: Divided, target: float, confidence: float) -> tuple[float, float] | None:
    """Risk and share of the accepted test rows; None: no threshold reaches the target."""
    calibrate, test = (_judged(rows) for rows in (parts.calibrate, parts.test))
    try:
        chosen = threshold_of_risk(calibrate, target, confidence)
    except FittingError:
        return None
    found = accepted(test, chosen.threshold)
    return found.errors / max(found.rows, 1), found.share


def task_of(pool: Pool, **asked: Any) -> ClassificationFit:
    """What is fitted to a pool."""
    return ClassificationFit(pool.facts, Asked(coverages=(0.9,), **asked))


def _judged(rows: Seen) -> Judged:
    doubt = rows.measures["predictive_entropy"]
    return Judged(doubt, rows.mean.argmax(axis=1) != rows.targets)
