"""Are the probabilities of a classification right?"""

from collections.abc import Sequence

from service.evaluation.document import Bin, Evaluation, Reliability
from service.evaluation.report.charts import reliability as chart
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.evidence import proportion
from service.evaluation.report.numbers import NONE, drawn, interval, share
from service.evaluation.report.view import Answer, Figure, Section, Table, Tone

QUESTION = "Are the probabilities right?"


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether the mean confidence is within the interval of the share of right answers."""
    result = evaluation.result()
    if result.reliability is None:
        return None
    bins, accuracy = result.reliability.equal_mass, result.metrics["accuracy"]
    ece = result.metrics["ece"]
    without = "" if ece.low is None else ", which the interval leaves out"
    stated = _mean_confidence(bins)
    right = proportion(accuracy, evaluation.data.rows, evaluation.bootstrap.confidence)
    sentences = [
        f"The mean confidence is {share(stated)}, and {interval(accuracy, percent=True)} of the "
        "answers are right.",
        *_left_open(stated, right),
        "Over bins of confidence the two differ by "
        f"{interval(ece, percent=True)} on average (ECE), a part of it by chance{without}.",
    ]
    return Answer(QUESTION, *_said(stated, right), sentences)


def section(evaluation: Evaluation) -> Section | None:
    """Reliability diagrams of the main setting, and of those that change the probabilities."""
    results = [evaluation.result()]
    results += [found for found in evaluation.results if found.setting.kind != "passes"]
    diagrams = {found.setting.name: found.reliability for found in results if found.reliability}
    if not diagrams:
        return None
    figures = [
        _figure(f"reliability-{index}", name, diagram)
        for index, (name, diagram) in enumerate(diagrams.items())
    ]
    lead = (
        "A confidence of 80 % is right if four of five such answers are. Then probabilities can be "
        "weighed against costs.",
        "Few rows in a bin make its interval wide. Where all answers of a bin are right, the "
        "bootstrap cannot tell how wide.",
    )
    return Section("probabilities", QUESTION, lead, figures)


def _said(stated: float, right: tuple[float, float] | None) -> tuple[str, Tone]:
    if right is None:
        return "Not known from this data", "open"
    if stated > right[1]:
        return "No, they are too high", "no"
    if stated < right[0]:
        return "No, they are too low", "no"
    return "No deviation on average", "yes"


def _left_open(stated: float, right: tuple[float, float] | None) -> Sequence[str]:
    """How large a deviation may still be where none was found."""
    if right is None or not right[0] <= stated <= right[1]:
        return ()
    most = 100 * max(right[1] - stated, stated - right[0])
    return [f"A deviation of up to {most:.2g} percentage points remains possible."]


def _mean_confidence(bins: Sequence[Bin]) -> float:
    rows = sum(found.rows for found in bins)
    return sum(found.rows * (found.confidence or 0.0) for found in bins) / max(rows, 1)


def _figure(name: str, setting: str, diagram: Reliability) -> Figure:
    heading = Heading(
        name,
        f"Reliability: {setting}",
        "The share of right answers over the stated confidence, in bins of equal width, with "
        "intervals and the number of rows of each bin.",
    )
    bins = diagram.equal_width
    drawing = chart.reliability(heading, [_drawn(found) for found in bins])
    reading = (
        "On the diagonal, confidence is right; below it, the model is too sure. Shaded: the "
        "deviation. Gray bars: numbers of rows."
    )
    rows = [
        [f"{share(found.low)} to {share(found.high)}", f"{found.rows:,}", *_cells(found)]
        for found in bins
        if found.rows
    ]
    table = Table(["confidence", "rows", "mean confidence", "right"], rows)
    return Figure(heading.title, reading, drawing, table)


def _cells(found: Bin) -> tuple[str, str]:
    stated = NONE if found.confidence is None else share(found.confidence)
    return stated, interval(found.accuracy, percent=True)


def _drawn(found: Bin) -> chart.Bin:
    middle = (found.low + found.high) / 2 if found.confidence is None else found.confidence
    return chart.Bin(found.low, found.high, found.rows, middle, drawn(found.accuracy))
