"""Does uncertainty find the errors?"""

from collections.abc import Sequence

import numpy as np

from service.evaluation.document import Evaluation, MeasureResult
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.charts.frame import Point, percent, plain
from service.evaluation.report.charts.risk_coverage import risk_coverage
from service.evaluation.report.evidence import against_chance
from service.evaluation.report.numbers import interval, named, readable, share
from service.evaluation.report.topics import measures as of
from service.evaluation.report.view import Answer, Figure, Section, Table, Tone

QUESTION = "Does uncertainty find the errors?"
#: Wrong answers, below which their number is mentioned.
FEW = 10
#: Shares of rows of which tables give the risk.
_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5, 0.25)


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether wrong answers are more uncertain than right ones, or large errors than small ones."""
    result = evaluation.result()
    name = of.chosen(result, of.OF_ERRORS)
    if name is None:
        return None
    measure = result.measures[name]
    if "auroc" in measure.metrics:
        return _of_wrong(name, measure, evaluation.bootstrap.confidence)
    return _of_large(name, measure)


def section(evaluation: Evaluation) -> Section | None:
    """Risk–coverage and ROC curves of all measures, and a histogram of one."""
    result = evaluation.result()
    name = of.chosen(result, of.OF_ERRORS)
    if name is None:
        return None
    found = of.ordered(result, name, "aurc", ascending=True)
    figures = [_risk_figure(evaluation, found)]
    if any(measure.roc for measure in found.values()):
        figures.append(_roc_figure(evaluation, found))
        figures.append(_histogram(name, found[name]))
    lead = (
        "An uncertainty is of use if errors have more of it: then the most uncertain rows can be "
        "left to a person, and the answers to the others be used.",
        "Lines are in the order of their scores on this data; the first one was chosen beforehand.",
    )
    return Section("errors", QUESTION, lead, figures)


def _of_wrong(name: str, measure: MeasureResult, confidence: float) -> Answer:
    auroc = measure.metrics["auroc"]
    groups = (_count(measure, "right"), _count(measure, "wrong"))
    if auroc.value is None:
        reason = f"{groups[0]:,} answers are right and {groups[1]:,} are wrong."
        return Answer(QUESTION, "Not known from this data", "open", [reason])
    higher = "higher" if measure.certain == "low" else "lower"
    sentences = [
        f"A wrong answer has a {higher} {readable(name)} than a right one in "
        f"{interval(auroc, percent=True)} of all pairs of the two; by chance in {share(0.5)}.",
        _handing_over(measure),
    ]
    if groups[1] < FEW:
        sentences.append(f"With {groups[1]} wrong answers, how much better is hardly known.")
    return Answer(QUESTION, *against_chance(auroc, groups, confidence), sentences)


def _of_large(name: str, measure: MeasureResult) -> Answer:
    every, half = _risk(measure, 1.0), _risk(measure, 0.5)
    aurc = measure.metrics["aurc"]
    said: tuple[str, Tone] = ("Not shown by this data", "open")
    if aurc.high is not None and aurc.high < every:
        said = ("Yes, better than chance", "yes")
    elif aurc.low is not None and aurc.low > every:
        said = ("No, worse than chance", "no")
    sentences = [
        f"The half of the rows with the lowest {readable(name)} has a mean absolute error of "
        f"{half:.3g}, all rows {every:.3g}.",
        f"Averaged over all such shares of the rows it is {interval(aurc)}; in random order it "
        f"would be {every:.3g}.",
    ]
    return Answer(QUESTION, *said, sentences)


def _handing_over(measure: MeasureResult) -> str:
    every, rest = _risk(measure, 1.0), _risk(measure, 0.9)
    return (
        f"If the most uncertain 10 % of the rows are left to a person, {share(rest)} of the rest "
        f"are wrong instead of {share(every)}."
    )


def _risk(measure: MeasureResult, coverage: float) -> float:
    return float(np.interp(coverage, measure.risk_coverage.x, measure.risk_coverage.y))


def _count(measure: MeasureResult, group: str) -> int:
    return sum(measure.histogram.counts.get(group, ()))


def _risk_figure(evaluation: Evaluation, found: of.Measures) -> Figure:
    shares = any(measure.roc for measure in found.values())
    every = _risk(next(iter(found.values())), 1.0)
    risk = "share of wrong answers" if shares else named("mean absolute error", "output")
    heading = Heading(
        "risk-coverage",
        "Risk and coverage",
        f"Lines of the {risk} over the share of rows that are answered, the most certain rows "
        f"first, one for each of {len(found)} measures. Over all rows it is {every:.3g}.",
    )
    drawing = risk_coverage(
        heading,
        of.curves(found, lambda measure: measure.risk_coverage),
        oracle=_oracle(evaluation, every),
        risk=risk,
        form=percent if shares else plain,
    )
    reading = (
        "The lower a line, the better: it is the error among the most certain rows. Dotted: rows "
        "in random order. Gray: an order that knows the errors."
    )
    rows = [
        [
            share(coverage),
            *(_written(_risk(measure, coverage), shares) for measure in found.values()),
        ]
        for coverage in _COVERAGES
    ]
    table = Table(["answered", *map(readable, found)], rows)
    lines = of.legend(found, "aurc")
    return Figure(heading.title, reading, drawing, table, lines, "area under the line")


def _written(risk: float, shares: bool) -> str:
    return share(risk) if shares else f"{risk:.3g}"


def _oracle(evaluation: Evaluation, every: float) -> Sequence[Point]:
    """Risk over coverage of the best order; of a classification a closed form."""
    result = evaluation.result()
    if "accuracy" not in result.metrics:
        best = result.best
        return () if best is None else list(zip(best.x, best.y, strict=True))
    right = 1 - every
    beyond = np.linspace(right, 1.0, 20)
    return [(0.0, 0.0), *((float(c), float((c - right) / c)) for c in beyond if c > 0)]


def _roc_figure(evaluation: Evaluation, found: of.Measures) -> Figure:
    heading = Heading(
        "errors-roc",
        "Finding wrong answers",
        f"ROC curves of {len(found)} measures: the share of wrong answers found over the share of "
        "right ones taken for wrong.",
    )
    axes = ("wrong answers found", "right answers taken for wrong")
    table = of.table(evaluation, found, ("auroc", "aupr", "aurc", "excess_aurc"))
    return of.roc_figure(heading, found, lambda measure: measure.roc, axes, table, "auroc")


def _histogram(name: str, measure: MeasureResult) -> Figure:
    heading = Heading(
        "errors-histogram",
        f"{readable(name).capitalize()} of right and wrong answers",
        f"Two histograms of the {readable(name)}: right answers upwards, wrong ones downwards.",
    )
    labels = ("right", "wrong")
    return of.histogram_figure(heading, name, measure.unit, measure.histogram, labels)
