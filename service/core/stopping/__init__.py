"""Stopping rules: how many passes each row of a request needs.

A rule looks at rows on a fixed grid of pass numbers, so that the same seed and the same rule give
the same answer.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from service.core.measures import BoundMeasure, Facts, Needs, measures_of, read_measures
from service.core.measures.accept import Accept
from service.core.measures.base import CLASSIFICATION
from service.core.measures.bound import Source
from service.core.measures.standard_error import StandardError
from service.core.stopping import grid
from service.core.stopping.criterion import Bools, Criterion
from service.core.stopping.decisions import (
    AcceptDecision,
    ClassDecision,
    MeanDecision,
    MeasureDecision,
)
from service.core.stopping.tolerance import Tolerance
from service.core.summary import Running
from service.errors import InputError, shortened
from service.protocol.adaptive import PREDICTED_CLASS, AdaptivePasses, Decision

__all__ = ["Rule", "read_rule"]


@dataclass(frozen=True)
class Rule:
    """Which rows need no more passes, at each look.

    Attributes:
        criteria: what is required of a row, by output.
        looks: numbers of passes, ascending; the last is the maximum.
        together: whether all rows stop at the first look at which each meets the criteria.
    """

    criteria: Mapping[str, Criterion]
    looks: tuple[int, ...]
    together: bool = False

    @property
    def measures(self) -> tuple[BoundMeasure, ...]:
        """Whose states it reads."""
        return tuple(one.state for one in self.criteria.values() if one.state is not None)

    @property
    def number_bytes(self) -> int:
        """Maximum bytes of these states for each number of a row's outputs."""
        return max(criterion.number_bytes for criterion in self.criteria.values())

    def next_look(self, passes: int) -> int:
        """The first look after `passes`; the last one if there is none."""
        return self.looks[min(bisect_right(self.looks, passes), len(self.looks) - 1)]

    def settled(self, running: Mapping[Source, Running]) -> Bools:
        """(R,) for each row, whether all elements of all outputs meet their criteria.

        Args:
            running: the samples so far, of each source that differs between passes.
        """
        rows = len(next(iter(running.values())).sums.first)
        settled = np.ones(rows, np.bool_)  # what is the same in all passes is settled
        for name, criterion in self.criteria.items():
            if name in running:
                settled &= criterion.met(running[name]).reshape(rows, -1).all(axis=1)
        return settled


def read_rule(asked: AdaptivePasses, outputs: Collection[Facts], inner: int = 1) -> Rule:
    """The stopping rule of a request.

    Args:
        asked: by the request.
        outputs: of the model.
        inner: samples of a pass.

    Raises:
        InputError: what is to be decided is unknown for this model.
    """
    together = asked.rows == "together"
    if asked.decide is None:
        looks = grid.looks(asked.min, asked.max, grid.fine)
        return Rule({facts.output: _tolerance(asked, facts) for facts in outputs}, looks, together)
    looks = grid.looks(asked.min, asked.max, grid.doubling)
    # Bonferroni: an error at any look is at most as probable as the sum over all looks.
    level = (1 - asked.decide.confidence) / len(looks)
    return Rule(_decisions(asked.decide, level, outputs, inner), looks, together)


def _tolerance(asked: AdaptivePasses, facts: Facts) -> Criterion:
    probabilities = facts.view is not None and facts.task in CLASSIFICATION
    return Tolerance(float(asked.tolerance or 0), asked.relative, probabilities)


def _decisions(
    asked: Decision, level: float, outputs: Collection[Facts], inner: int
) -> dict[str, Criterion]:
    """What is to be decided of each output that has it."""
    threshold = float(asked.threshold or 0)
    if asked.measure == "mean":
        return {facts.output: MeanDecision(threshold, level) for facts in outputs}
    known = [name for name in measures_of(outputs) if _is_decidable(name, outputs)]
    if asked.measure == Accept.name:
        return _acceptance(level, outputs, known, inner)
    if asked.measure not in known:
        raise InputError(
            f"passes.decide.measure is {shortened(asked.measure)!r}; of this model it must be one "
            f"of {['mean', *known]}."
        )
    found = read_measures([asked.measure], outputs)
    if asked.measure == PREDICTED_CLASS:
        return {one.output: ClassDecision(one.view, level) for one in found}
    return {one.output: MeasureDecision(one, threshold, level, inner) for one in found}


def _acceptance(
    level: float, outputs: Collection[Facts], known: Collection[str], inner: int
) -> dict[str, Criterion]:
    """On which side of the calibration's threshold its measure is, of a row as a whole."""
    lacking = [why for facts in outputs if (why := Accept.lacks(facts))]
    if len(lacking) == len(outputs):
        raise InputError(f"passes.decide.measure is 'accept', and {lacking[0]}.")
    found: dict[str, Criterion] = {}
    for one in read_measures([Accept.name], outputs):
        chosen = one.facts.calibration and one.facts.calibration.selection
        if one.base is None or not chosen or one.base.name not in known:
            raise InputError(
                f"passes.decide.measure is 'accept', which depends on {one.root.name!r} in the "
                f"model's calibration; a rule decides one of {['mean', *known]}. Send a number of "
                "passes, or a tolerance."
            )
        found[one.output] = AcceptDecision(one.base, chosen.threshold, level, inner, chosen.at_most)
    return found


def _is_decidable(name: str, outputs: Collection[Facts]) -> bool:
    """Whether a measure is a quantity of means and variances that has a limit.

    A standard error has none but 0: it is what a tolerance is for.
    """
    if name == StandardError.name:
        return False
    found = read_measures([name], outputs)
    by_moments = all(one.needs is Needs.MOMENTS and one.noise is None for one in found)
    return name == PREDICTED_CLASS or (by_moments and found[0].measure.dtype == "float64")
