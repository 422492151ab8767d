"""What targets say of the predictions of single rows: losses, and measures of uncertainty.

Metrics and curves are made of these numbers, so that samples are forgotten with each part of rows.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.core.measures import MEASURES, Facts, Needs, measures_of
from service.core.measures.facts import NoiseOutput, View
from service.core.measures.samples import Samples
from service.core.normal import mixture_quantile
from service.evaluation.metrics import classification, regression
from service.protocol.prediction import Prediction

Array = NDArray[Any]
K = TypeVar("K", bound=Hashable)

#: The method of intervals of the predictive distribution.
CENTRAL = "central"
#: Their probabilities.
CENTRAL_LEVELS = (0.5, 0.9, 0.95)


class Rule(NamedTuple):
    """How a set or an interval is made, and the probability with which it should hold the target.

    Attributes:
        method: "central" for intervals of the predictive distribution, or that of a calibration.
        level: the probability.
    """

    method: str
    level: float

    @property
    def is_conformal(self) -> bool:
        """Whether a calibration makes it."""
        return self.method != CENTRAL


class SetScores(NamedTuple):
    """Of the sets of B rows, S for each: one, or one for each of several predictions.

    Attributes:
        held: (B, S) whether the set has the true class, or all true labels.
        size: (B, S) number of its classes or labels.
        target: (B, E) index of each true class or label; -1 for a label that is not true.
        found: (B, E) whether it is in the set.
    """

    held: Array
    size: Array
    target: Array
    found: Array

    @classmethod
    def join(cls, parts: Sequence["SetScores"]) -> "SetScores":
        """Of consecutive rows."""
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class Scores:
    """Of B rows of E elements each: labels of a multi-label output, or elements of a mean.

    Attributes:
        losses: name to (B, E) float64. Of a classification "wrong" (0 or 1), "nll", "brier" and
            "confidence", the largest probability; of a regression "squared", "absolute", "nll",
            "crps" and "pit", the predicted probability below the target.
        measures: name to (B, E) float64 values of the measures that order answers.
        intervals: of a regression, rule to (3, B, E): whether the target is inside, width, and
            score.
        sets: of a classification, by rule.
        accepted: (B, 1) whether each row is accepted; None: the setting does not choose.
    """

    losses: Mapping[str, Array]
    measures: Mapping[str, Array]
    intervals: Mapping[Rule, Array] = field(default_factory=dict)
    sets: Mapping[Rule, SetScores] = field(default_factory=dict)
    accepted: Array | None = None

    @classmethod
    def join(cls, parts: Sequence["Scores"]) -> "Scores":
        """Of consecutive rows."""
        return cls(
            joined([part.losses for part in parts]),
            joined([part.measures for part in parts]),
            joined([part.intervals for part in parts], axis=1),
            {rule: SetScores.join([part.sets[rule] for part in parts]) for rule in parts[0].sets},
            concatenated([part.accepted for part in parts]),
        )


def joined(parts: Sequence[Mapping[K, Array]], axis: int = 0) -> dict[K, Array]:
    """By key, the arrays of all parts, one after the other."""
    return {key: np.concatenate([part[key] for part in parts], axis) for key in parts[0]}


def concatenated(parts: Sequence[Array | None]) -> Array | None:
    """All parts, one after the other; None: there is none."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def ordering_measures(facts: Facts) -> list[str]:
    """Names of the measures that order the answers of an output."""
    return [name for name in measures_of([facts]) if MEASURES[name].certain]


def needed_measures(facts: Facts) -> list[str]:
    """Names of the measures that scores are made of."""
    return [*ordering_measures(facts), *_sampled(facts)]


def needed_of_one(facts: Facts) -> list[str]:
    """Those of a prediction whose passes agree, which says nothing of their differences."""
    ordering = ordering_measures(facts)
    alone = [name for name in ordering if MEASURES[name].needs is Needs.MOMENTS]
    return [*alone, *_sampled(facts)]


def _sampled(facts: Facts) -> list[str]:
    """Samples, of which the distribution of a regression's targets is made."""
    return [] if "classification" in facts.task else [Samples.name]


def measure_values(prediction: Prediction, facts: Facts) -> dict[str, Array]:
    """Name to (B, E) values of the measures that order the answers of an output."""
    found = prediction[facts.output].measures
    return {name: flat(found[name]) for name in ordering_measures(facts) if name in found}


def score(
    prediction: Prediction, targets: Array, facts: Facts, levels: Sequence[float] = ()
) -> Scores:
    """Compare predictions with targets.

    Args:
        prediction: of B rows, with `needed_measures`.
        targets: of them, see `Labeled`.
        facts: of their output.
        levels: of the intervals of a regression.
    """
    measures = measure_values(prediction, facts)
    if "classification" in facts.task:
        p = _view(facts).array(prediction[facts.output].mean)
        return Scores(_of_probabilities(p, targets.astype(np.int64)), measures)
    return _of_mixture(prediction, targets, facts, measures, levels)


def _of_probabilities(p: Array, target: Array) -> dict[str, Array]:
    """Losses of (B, …, C) probabilities, or (B, …, 1) of the second of two classes."""
    p = classification.both_classes(p)
    found = {
        "wrong": classification.wrong(p, target),
        "nll": classification.nll(p, target),
        "brier": classification.brier(p, target),
        "confidence": p.max(axis=-1),
    }
    return {name: flat(values) for name, values in found.items()}


def _of_mixture(
    prediction: Prediction,
    targets: Array,
    facts: Facts,
    measures: Mapping[str, Array],
    levels: Sequence[float],
) -> Scores:
    """Of the passes' means, and their noise if it is known."""
    means = _view(facts).array(_samples(prediction, facts.output))
    noise = _noise(prediction, facts)
    off = _view(facts).array(prediction[facts.output].mean) - targets
    if noise is None:
        spread = _view(facts).array(prediction[facts.output].variance)
        center = off + targets
        nll = regression.nll_of_normal(center, spread, targets)
        crps = regression.crps_of_samples(means, targets)
        pit = regression.pit_of_samples(means, targets)
        quantile = partial(np.quantile, means, axis=0)
    else:
        nll = regression.nll_of_mixture(means, noise, targets)
        total = measures["total"].reshape(targets.shape)
        crps = regression.crps_of_normal(off + targets, total, targets)
        pit = regression.pit_of_mixture(means, noise, targets)
        quantile = partial(mixture_quantile, means, noise)
    losses = {"squared": off**2, "absolute": np.abs(off), "nll": nll, "crps": crps, "pit": pit}
    intervals: dict[Rule, Array] = {}
    for level in levels:
        low, high = (quantile((1 + sign * level) / 2) for sign in (-1, 1))
        intervals[Rule(CENTRAL, level)] = score_interval(low, high, targets, level)
    return Scores({name: flat(y) for name, y in losses.items()}, measures, intervals)


def score_interval(low: Array, high: Array, targets: Array, level: float) -> Array:
    """(3, B, E): whether targets are inside, width, and score, of (B, …) ends of intervals."""
    inside = regression.inside(low, high, targets)
    scored = regression.interval_score(low, high, targets, level)
    return np.stack([flat(y) for y in (inside, high - low, scored)])


def score_set(inside: Array, targets: Array) -> SetScores:
    """Compare (B, …, C) sets with (B, …) classes, or sets of labels with (B, …, K) bool."""
    if targets.dtype == np.bool_:
        held = (inside | ~targets).all(axis=-1)
        target, found = np.where(targets, np.arange(targets.shape[-1]), -1), inside
    else:
        target = targets
        held = found = np.take_along_axis(inside, target[..., None], axis=-1)[..., 0]
    return SetScores(*map(flat, (held, inside.sum(axis=-1), target, found)))


def _samples(prediction: Prediction, output: str) -> Array:
    """(P, B, …) of an output."""
    return prediction[output].measures[Samples.name].swapaxes(0, 1)


def _noise(prediction: Prediction, facts: Facts) -> Array | None:
    """(P, B, …) or (1, 1, …) variances of the noise of the targets; None: not known."""
    if isinstance(facts.noise, NoiseOutput):
        return facts.noise.variance(_samples(prediction, facts.noise.output))
    means = prediction[facts.output].mean
    return None if facts.noise is None else np.full((1, *means.shape), facts.noise)


def _view(facts: Facts) -> View:
    return facts.view or View()


def flat(values: Array) -> Array:
    """(B, E) of (B, …)."""
    return values.reshape(len(values), -1)
