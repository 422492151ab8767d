"""Do the intervals of a regression hold what they state?"""

from collections.abc import Iterator, Mapping, Sequence

from service.evaluation.document import Evaluation, Interval, Result
from service.evaluation.report.charts.coverage import Level, coverage
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.evidence import proportion
from service.evaluation.report.numbers import drawn, interval, share
from service.evaluation.report.view import Answer, Figure, Section, Table, Tone

QUESTION = "Do the intervals hold what they state?"
#: The level of intervals that sentences are about, if there is a choice.
_LEVEL = 0.9


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether the share of targets inside of an interval is what it should be."""
    result = evaluation.result()
    if not result.intervals:
        return None
    found = min(result.intervals, key=lambda one: abs(one.level - _LEVEL))
    sentences = [
        f"Intervals of {share(found.level)} hold {interval(found.coverage, percent=True)} of the "
        f"targets. Their mean width is {interval(found.width)}, in the unit of the output.",
    ]
    if evaluation.model.noise == "none":
        sentences.append(
            "They are intervals of the mean: the noise of the targets, which would have to be "
            "added, is not known to the model."
        )
    sentences += _calibrated_sentences(evaluation)
    inside = proportion(found.coverage, evaluation.data.rows, evaluation.bootstrap.confidence)
    return Answer(QUESTION, *_said(found.level, inside), sentences)


def section(evaluation: Evaluation) -> Section | None:
    """The calibration curve, and the coverage of central intervals."""
    result = evaluation.result()
    if not (result.intervals or result.calibration):
        return None
    lead = (
        "An interval of 90 % is right if nine of ten targets are inside. Among right intervals, "
        "the narrowest are the best.",
    )
    figures = []
    if result.intervals:
        title = "Coverage of intervals"
        figures.append(_interval_figure("interval-coverage", title, result.intervals))
    if result.calibration:
        figures.append(_calibration_figure(result))
    for method, found in _calibrated(evaluation).items():
        title = f"Coverage of {method} intervals"
        figures.append(_interval_figure(f"interval-coverage-{method}", title, found))
    return Section("intervals", QUESTION, lead, figures)


def _said(level: float, inside: tuple[float, float] | None) -> tuple[str, Tone]:
    if inside is None:
        return "Not known from this data", "open"
    if inside[1] < level:
        return "No, they are too narrow", "no"
    if inside[0] > level:
        return "No, they are too wide", "no"
    return f"No deviation at {share(level)}", "yes"


def _calibrated(evaluation: Evaluation) -> Mapping[str, Sequence[Interval]]:
    """The intervals of the setting with the calibration, by method."""
    calibrated = evaluation.calibrated
    found: dict[str, list[Interval]] = {}
    for one in () if calibrated is None else calibrated.intervals:
        found.setdefault(f"calibrated {one.method}", []).append(one)
    return found


def _calibrated_sentences(evaluation: Evaluation) -> Iterator[str]:
    """Of each method, the intervals with the level that is nearest."""
    for method, intervals in _calibrated(evaluation).items():
        found = min(intervals, key=lambda one: abs(one.level - _LEVEL))
        yield (
            f"The {method} intervals of {share(found.level)} hold "
            f"{interval(found.coverage, percent=True)}, with a mean width of "
            f"{interval(found.width)}."
        )


def _interval_figure(name: str, title: str, intervals: Sequence[Interval]) -> Figure:
    heading = Heading(
        name,
        title,
        f"The share of targets inside of intervals over the stated share, for {len(intervals)} "
        "levels.",
    )
    levels = [Level(found.level, drawn(found.coverage)) for found in intervals]
    drawing = coverage(heading, levels, nominal="stated", observed="targets inside")
    reading = (
        "On the diagonal, intervals hold what they state; below it, they are too narrow. Shaded: "
        "confidence intervals of the shares."
    )
    rows = [
        [
            share(found.level),
            interval(found.coverage, percent=True),
            interval(found.width),
            interval(found.score),
        ]
        for found in intervals
    ]
    table = Table(["stated", "inside (PICP)", "mean width (MPIW)", "interval score"], rows)
    return Figure(heading.title, reading, drawing, table)


def _calibration_figure(result: Result) -> Figure:
    heading = Heading(
        "calibration",
        "Calibration curve",
        "The share of targets below the quantile of the prediction over its probability.",
    )
    levels = [Level(found.expected, drawn(found.observed)) for found in result.calibration]
    drawing = coverage(
        heading, levels, nominal="probability of the quantile", observed="targets below it"
    )
    reading = (
        "On the diagonal, quantiles are right. Above it on the left and below it on the right, "
        "predictions are too narrow; on one side of it throughout, they are too high or too low."
    )
    rows = [
        [share(found.expected), interval(found.observed, percent=True)]
        for found in result.calibration
    ]
    return Figure(heading.title, reading, drawing, Table(["quantile", "below"], rows))
