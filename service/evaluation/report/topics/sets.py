"""Do the prediction sets of the calibration hold the true class?"""

from collections.abc import Iterator

from service.evaluation.document import Estimate, Evaluation, PredictionSets
from service.evaluation.report.charts.drawing import Heading
from service.evaluation.report.charts.forest import Row, forest
from service.evaluation.report.charts.frame import percent
from service.evaluation.report.evidence import proportion, share_of
from service.evaluation.report.numbers import decimals_of, drawn, interval, share, value
from service.evaluation.report.view import Answer, Figure, Section, Table, Tone

QUESTION = "Do the prediction sets hold the true class?"


def answer(evaluation: Evaluation) -> Answer | None:
    """Whether the sets of the first rule hold it at least as often as stated."""
    found = _sets(evaluation)
    if not found:
        return None
    first, rows, confidence = found[0], evaluation.data.rows, evaluation.bootstrap.confidence
    coverage = share_of(first.coverage, rows, confidence)
    least = share_of(first.least.coverage, first.least.rows, confidence)
    sentences = [
        f"Sets of {share(first.level)} ({first.method}) hold the true class of "
        f"{interval(coverage, percent=True)} of the rows.",
        f"They have {interval(first.size)} classes on average; "
        f"{interval(first.single, percent=True)} have one, {interval(first.empty, percent=True)} "
        "none.",
    ]
    if first.least.coverage.value != 1:
        sentences.append(
            f"Of the class that is covered least, {first.least.name} ({first.least.rows:,} rows), "
            f"they hold {interval(least, percent=True)}."
        )
    return Answer(QUESTION, *_said(first.level, proportion(coverage, rows, confidence)), sentences)


def section(evaluation: Evaluation) -> Section | None:
    """For each rule, the coverage of all sets, of those of each size, and of a class."""
    found = _sets(evaluation)
    if not found:
        return None
    lead = (
        "A set of 90 % should hold the true class of nine of ten rows. That is an average: the "
        "lines say whether it is true of small and of large sets, too, and of the class that is "
        "covered least.",
        "The least of many shares is low by chance, too.",
    )
    confidence = evaluation.bootstrap.confidence
    figures = [_figure(one, evaluation.data.rows, confidence) for one in found]
    return Section("sets", QUESTION, lead, figures)


def _sets(evaluation: Evaluation) -> tuple[PredictionSets, ...]:
    calibrated = evaluation.calibrated
    return () if calibrated is None else calibrated.sets


def _said(level: float, held: tuple[float, float] | None) -> tuple[str, Tone]:
    if held is None:
        return "Not known from this data", "open"
    if held[1] < level:
        return "No, less often than stated", "no"
    if held[0] > level:
        return "Yes, more often than stated", "yes"
    return f"No deviation at {share(level)}", "yes"


def _figure(found: PredictionSets, rows: int, confidence: float) -> Figure:
    title = f"Coverage of sets: {found.method}, {share(found.level)}"
    heading = Heading(
        f"sets-{found.method}-{found.level:g}",
        title,
        f"The share of sets with the true class, of {rows:,} rows and of groups of them.",
    )
    groups = [*_groups(found, rows, confidence)]
    decimals = decimals_of(groups[0][2], percent=True)
    drawing = forest(
        heading,
        [
            Row(f"{name} ({count:,} rows)", drawn(held), value(held, decimals, percent=True))
            for name, count, held in groups
        ],
        against=found.level,
        form=percent,
    )
    cells = [[name, f"{count:,}", interval(held, percent=True)] for name, count, held in groups]
    reading = f"Dotted: the stated share, {share(found.level)}. Left of it, sets are too small."
    return Figure(title, reading, drawing, Table(["sets", "rows", "with the true class"], cells))


def _groups(
    found: PredictionSets, rows: int, confidence: float
) -> Iterator[tuple[str, int, Estimate]]:
    """Name, rows and coverage."""
    yield "all", rows, share_of(found.coverage, rows, confidence)
    for group in found.by_size:
        name = f"{group.name} class" + ("" if group.name == "1" else "es")
        yield name, group.rows, share_of(group.coverage, group.rows, confidence)
    least = found.least
    yield (
        f"least covered: {least.name}",
        least.rows,
        share_of(least.coverage, least.rows, confidence),
    )
