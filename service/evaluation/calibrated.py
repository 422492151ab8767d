"""The setting in which a model answers with its calibration."""

from dataclasses import replace

from service.calibration.document import CalibrationDocument
from service.core.measures.calibrated import Calibrated
from service.core.measures.prediction_interval import PredictionInterval
from service.evaluation.data import Labeled
from service.evaluation.document import Setting
from service.evaluation.results import Scored
from service.evaluation.runs import Part, run_parts
from service.evaluation.scores import Scores, needed_measures, score, score_interval
from service.evaluation.work import Work
from service.inference.predictor import Predictor
from service.protocol.options import Options


def document_of(model: Predictor, data: Labeled) -> CalibrationDocument | None:
    """The calibration of the output that the data have targets of, if there is one."""
    document = model.calibration.document
    return document if document and document.output == data.facts.output else None


def scored_with(
    document: CalibrationDocument, model: Predictor, data: Labeled, work: Work
) -> Scored:
    """The model as its calibration was fitted: passes, rates, masks, and what was fitted."""
    how = document.sampling
    options = Options(
        passes=how.passes,
        seed=how.seed,
        masks=how.masks,
        sampling=how.sampling,
        rate_scale=how.rate_scale,
        sites=how.sites,
        calibrated=True,
    )
    facts = model.terms.of(options).facts_of(document.output)
    labeled = replace(data, facts=facts)
    options = replace(options, measures=needed_measures(facts))
    parts = run_parts(model, data.rows, options, progress=work.ran)
    scores = Scores.join([_score(document, part, labeled, work) for part in parts])
    setting = Setting(
        name=f"calibrated, {how.passes} passes",
        kind="calibrated",
        passes=how.passes,
        rate_scale=how.rate_scale,
        masks=how.masks,
        sampling=how.sampling,
    )
    return Scored(setting, scores)


def _score(document: CalibrationDocument, part: Part, data: Labeled, work: Work) -> Scores:
    name, targets = data.facts.output, data.targets[part.rows]
    found = part.prediction[name]
    mean = found.measures.get(Calibrated.name, found.mean)
    outputs = {**part.prediction.outputs, name: replace(found, mean=mean)}
    with work.timed("metrics"):
        scores = score(replace(part.prediction, outputs=outputs), targets, data.facts)
        ends = found.measures.get(PredictionInterval.name)
        if ends is None:
            return scores
        level = document.intervals[0].coverage
        interval = score_interval(ends[..., 0], ends[..., 1], targets, level)
        return replace(scores, intervals={level: interval})
