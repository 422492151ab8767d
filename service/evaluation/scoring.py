"""Runs the settings of an evaluation, and scores their predictions part by part."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from service.evaluation.calibrated import CalibratedRun, document_of
from service.evaluation.data import Labeled, Unlabeled
from service.evaluation.document import Setting
from service.evaluation.results import Others, Scored
from service.evaluation.runs import agreeing, run_deterministic, run_parts
from service.evaluation.scores import (
    CENTRAL_LEVELS,
    Scores,
    joined,
    measure_values,
    needed_measures,
    needed_of_one,
    ordering_measures,
    score,
)
from service.evaluation.settings import Run
from service.evaluation.work import Work
from service.inference.predictor import Predictor

Array = NDArray[Any]
_OFF = Setting(name="deterministic", kind="deterministic")


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores settings on the same data.

    Attributes:
        model: that runs.
        data: with targets.
        other: rows out of distribution, if there are any.
        work: counts samples.
    """

    model: Predictor
    data: Labeled
    other: Unlabeled | None
    work: Work

    def settings(self, runs: Sequence[Run]) -> tuple[list[Scored], dict[int, Scored]]:
        """All settings, and number of passes to what they give, for the curve.

        That with dropout off is the first one, if the model has it, and that with a calibration
        the last one.
        """
        has_off = self.data.facts.has_off
        rows = len(self.data) + (0 if self.other is None else len(self.other))
        document = document_of(self.model, self.data)
        calibrated = 0 if document is None else document.sampling.passes
        self.work.samples = rows * (sum(run.most for run in runs) + has_off + calibrated)
        settings = list[Scored]()
        curve = dict[int, Scored]()
        with self.work.timed("runs"):
            if has_off:
                settings.append(self._deterministic())
            for run in runs:
                scores, others = self._scores(run), self._others(run)
                settings += [Scored(run.setting(n), scores[n], others.get(n)) for n in run.passes]
                curve |= {n: Scored(_after(n), scores[n]) for n in run.curve}
            if document is not None:
                run_as_fitted = CalibratedRun(document, self.model, self.work)
                settings.append(run_as_fitted.scored(self.data, self.other))
        return settings, curve

    def _deterministic(self) -> Scored:
        """With dropout off, as if all passes agreed."""
        facts, other = self.data.facts, None
        names = needed_of_one(facts)
        found = agreeing(self.model, self._off(self.data), names)
        if self.other is not None:
            of_others = agreeing(self.model, self._off(self.other), names)
            other = Others(measure_values(of_others, facts))
        with self.work.timed("metrics"):
            scores = score(found, self.data.targets, facts, CENTRAL_LEVELS)
        has_density = "classification" in facts.task or facts.noise is not None
        return Scored(_OFF, scores, other, has_density)

    def _off(self, data: Labeled | Unlabeled) -> Mapping[str, Array]:
        return run_deterministic(self.model, data.rows, progress=self.work.ran)

    def _scores(self, run: Run) -> dict[int, Scores]:
        data, facts = self.data, self.data.facts
        options = replace(run.options, measures=needed_measures(facts))
        parts = defaultdict[int, list[Scores]](list)
        looks = [*run.passes, *run.curve]
        told = self.work.ran
        for part in run_parts(self.model, data.rows, options, looks=looks, progress=told):
            passes, targets = part.prediction.passes, data.targets[part.rows]
            levels = CENTRAL_LEVELS if passes in run.passes else ()
            with self.work.timed("metrics"):
                parts[passes].append(score(part.prediction, targets, facts, levels))
        return {passes: Scores.join(found) for passes, found in parts.items()}

    def _others(self, run: Run) -> dict[int, Others]:
        if self.other is None:
            return {}
        facts = self.data.facts
        options = replace(run.options, measures=ordering_measures(facts))
        parts = defaultdict[int, list[Mapping[str, Array]]](list)
        looks, told = run.passes, self.work.ran
        for part in run_parts(self.model, self.other.rows, options, looks=looks, progress=told):
            parts[part.prediction.passes].append(measure_values(part.prediction, facts))
        return {passes: Others(joined(found)) for passes, found in parts.items()}


def _after(passes: int) -> Setting:
    """The setting of a point of the curve."""
    return Setting(name=f"after {passes} passes", kind="passes", passes=passes)
