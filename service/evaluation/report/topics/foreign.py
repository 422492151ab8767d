"""Does uncertainty notice rows unlike the data?"""

from collections.abc import Sequence

from service.evaluation.document import Evaluation, MeasureResult
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.evidence import against_chance, share_of
from service.evaluation.report.numbers import interval, readable, share
from service.evaluation.report.topics import measures as of
from service.evaluation.report.view import Answer, Figure, Section

QUESTION = "Does it notice other data?"


def answer(evaluation: Evaluation) -> Answer:
    """Whether the other rows are more uncertain than those of the data."""
    found = _found(evaluation)
    if evaluation.other is None or found is None:
        sentence = "Rows that are unlike the training data were not given (--ood)."
        return Answer(QUESTION, "Not tested", "open", [sentence])
    name, measure = found
    auroc, accepted = measure.metrics["ood_auroc"], measure.metrics["ood_fpr95"]
    higher = "higher" if measure.certain == "low" else "lower"
    sentences = [
        f"A row of {evaluation.other.name} has a {higher} {readable(name)} than one of the data in "
        f"{interval(auroc, percent=True)} of all pairs of the two; by chance in {share(0.5)}.",
        f"With a threshold that accepts {share(0.95)} of the data, "
        f"{interval(accepted, percent=True)} of the other rows are accepted, too.",
        *_decided(evaluation),
        "Of other kinds of data this says nothing.",
    ]
    groups = (evaluation.data.rows, evaluation.other.rows)
    said = against_chance(auroc, groups, evaluation.bootstrap.confidence)
    return Answer(QUESTION, *said, sentences)


def _decided(evaluation: Evaluation) -> Sequence[str]:
    """What the calibration's threshold accepts."""
    calibrated = evaluation.calibrated
    found = calibrated.acceptance if calibrated else None
    if found is None or found.others is None or evaluation.other is None:
        return ()
    sure = evaluation.bootstrap.confidence
    others = share_of(found.others, evaluation.other.rows, sure)
    own = share_of(found.share, evaluation.data.rows, sure)
    return [
        f"The calibration's threshold accepts {interval(others, percent=True)} of them, and "
        f"{interval(own, percent=True)} of the data."
    ]


def section(evaluation: Evaluation) -> Section | None:
    """ROC curves of all measures, and a histogram of one."""
    found = _found(evaluation)
    if evaluation.other is None or found is None:
        return None
    name, measure = found
    lead = (
        f"{evaluation.other.name}, with {evaluation.other.rows:,} rows, is given as unlike the "
        f"data. Its rows should be more uncertain than the {evaluation.data.rows:,} of "
        f"{evaluation.data.name}.",
    )
    figures = [_roc_figure(evaluation, name)]
    if measure.ood_histogram is not None:
        heading = Heading(
            "other-histogram",
            f"{readable(name).capitalize()} of the data and of other rows",
            f"Two histograms of the {readable(name)}: the data upwards, the other rows downwards.",
        )
        labels = ("data", "other rows")
        drawn = of.histogram_figure(heading, name, measure.unit, measure.ood_histogram, labels)
        figures.append(drawn)
    return Section("other", QUESTION, lead, figures)


def _found(evaluation: Evaluation) -> tuple[str, MeasureResult] | None:
    result = evaluation.result()
    name = of.chosen(result, of.OF_OTHERS)
    if name is None or result.measures[name].ood_roc is None:
        return None
    return name, result.measures[name]


def _roc_figure(evaluation: Evaluation, name: str) -> Figure:
    found = of.ordered(evaluation.result(), name, "ood_auroc", ascending=False)
    heading = Heading(
        "other-roc",
        "Finding other data",
        f"ROC curves of {len(found)} measures: the share of other rows found over the share of the "
        "data taken for other rows.",
    )
    axes = ("other rows found", "rows of the data taken for others")
    table = of.table(evaluation, found, ("ood_auroc", "ood_aupr", "ood_fpr95"))
    return of.roc_figure(heading, found, lambda measure: measure.ood_roc, axes, table, "ood_auroc")
