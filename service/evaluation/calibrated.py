"""The setting in which a model answers with its calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.calibration.document import CalibrationDocument
from service.core.calibration import Calibration, ConformalInterval, ConformalSet
from service.core.measures import BoundMeasure, Facts, Measure, bind
from service.core.measures.accept import Accept
from service.core.measures.calibrated import Calibrated
from service.core.measures.prediction_interval import PredictionInterval
from service.core.measures.prediction_set import PredictionSet
from service.evaluation.data import Labeled, Unlabeled
from service.evaluation.document import Setting
from service.evaluation.results import Others, Scored
from service.evaluation.runs import Part, run_parts
from service.evaluation.scores import (
    CENTRAL_LEVELS,
    Rule,
    Scores,
    concatenated,
    flat,
    joined,
    measure_values,
    needed_measures,
    ordering_measures,
    score,
    score_interval,
    score_set,
)
from service.evaluation.work import Work
from service.inference.predictor import Predictor
from service.protocol.options import Options
from service.protocol.prediction import OutputPrediction

Array = NDArray[Any]


def document_of(model: Predictor, data: Labeled) -> CalibrationDocument | None:
    """The calibration of the output that the data have targets of, if there is one."""
    document = model.calibration.document
    return document if document and document.output == data.facts.output else None


@dataclass(frozen=True)
class _OfRule(BoundMeasure):
    """A measure of a calibration with one of its rules, and a name that no other rule has."""

    rule: Rule = field(kw_only=True)

    @property
    def name(self) -> str:
        """Of the measure with the rule."""
        return f"{self.measure.name}:{self.rule.method}:{self.rule.level:g}"


@dataclass(frozen=True, eq=False)
class CalibratedRun:
    """A model as its calibration was fitted: passes, rates, masks, and what was fitted.

    Attributes:
        document: the calibration.
        model: that has it.
        work: counts samples.
    """

    document: CalibrationDocument
    model: Predictor
    work: Work

    def scored(self, data: Labeled, other: Unlabeled | None) -> Scored:
        """Its answers to rows with targets, and to those out of distribution."""
        how = self.document.sampling
        setting = Setting(
            name=f"calibrated, {how.passes} passes",
            kind="calibrated",
            passes=how.passes,
            rate_scale=how.rate_scale,
            masks=how.masks,
            sampling=how.sampling,
        )
        return Scored(
            setting,
            self._scores(data),
            None if other is None else self._others(other),
            selection=self.document.selection,
        )

    @property
    def _options(self) -> Options:
        how = self.document.sampling
        return Options(
            passes=how.passes,
            seed=how.seed,
            masks=how.masks,
            sampling=how.sampling,
            rate_scale=how.rate_scale,
            sites=how.sites,
            calibrated=True,
        )

    @property
    def _facts(self) -> Facts:
        return self.model.terms.of(self._options).facts_of(self.document.output)

    def _scores(self, data: Labeled) -> Scores:
        facts = self._facts
        options = replace(self._options, measures=needed_measures(facts))
        rules = [*_rules_of(facts)]
        told = self.work.ran
        return Scores.join(
            [
                self._score(part, data.targets[part.rows], facts, rules)
                for part in run_parts(self.model, data.rows, options, further=rules, progress=told)
            ]
        )

    def _score(self, part: Part, targets: Array, facts: Facts, rules: Sequence[_OfRule]) -> Scores:
        found = part.prediction[facts.output]
        mean = found.measures.get(Calibrated.name, found.mean)
        outputs = {**part.prediction.outputs, facts.output: replace(found, mean=mean)}
        with self.work.timed("metrics"):
            prediction = replace(part.prediction, outputs=outputs)
            scores = score(prediction, targets, facts, CENTRAL_LEVELS)
            intervals, sets = dict(scores.intervals), {}
            for one in rules:
                values = found.measures[one.name]
                if isinstance(one.measure, PredictionSet):
                    sets[one.rule] = score_set(values, targets)
                else:
                    low, high = np.moveaxis(values, -1, 0)
                    intervals[one.rule] = score_interval(low, high, targets, one.rule.level)
            return replace(scores, intervals=intervals, sets=sets, accepted=_accepted(found))

    def _others(self, other: Unlabeled) -> Others:
        facts = self._facts
        options = replace(self._options, measures=ordering_measures(facts))
        parts = [
            part.prediction
            for part in run_parts(self.model, other.rows, options, progress=self.work.ran)
        ]
        measures = joined([measure_values(one, facts) for one in parts])
        accepted = [_accepted(one[facts.output]) for one in parts]
        return Others(measures, concatenated(accepted))


def _accepted(found: OutputPrediction) -> Array | None:
    """(B, 1) float64 whether each row is accepted; None: the calibration does not say."""
    accepted = found.measures.get(Accept.name)
    return None if accepted is None else flat(accepted).astype(np.float64)


def _rules_of(facts: Facts) -> Iterator[_OfRule]:
    """The sets and intervals of a calibration, each by itself."""
    calibration = facts.calibration or Calibration()
    for one_set in calibration.sets:
        yield _bound(PredictionSet(), one_set, replace(calibration, sets=(one_set,)), facts)
    for interval in calibration.intervals:
        alone = replace(calibration, intervals=(interval,))
        yield _bound(PredictionInterval(), interval, alone, facts)


def _bound(
    measure: Measure, rule: ConformalSet | ConformalInterval, alone: Calibration, facts: Facts
) -> _OfRule:
    """A measure, whose rule is the first of the calibration and thus its default."""
    found = bind(measure, replace(facts, calibration=alone))
    return _OfRule(found.measure, found.facts, found.base, rule=Rule(rule.method, rule.coverage))
