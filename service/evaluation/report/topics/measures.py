"""Measures of uncertainty: their order in figures, and the figures that more than one topic has."""

from collections.abc import Callable, Mapping, Sequence

from service.evaluation.document import Curve as Points
from service.evaluation.document import Estimate, Evaluation, Histogram, MeasureResult, Result
from service.evaluation.report.charts.drawing import Heading, style_of
from service.evaluation.report.charts.frame import percent
from service.evaluation.report.charts.histogram import Group, histogram
from service.evaluation.report.charts.roc import roc
from service.evaluation.report.charts.series import Curve
from service.evaluation.report.numbers import interval, named, readable
from service.evaluation.report.view import Figure, Line, Table

#: What says most of errors: the total uncertainty.
OF_ERRORS = ("predictive_entropy", "total", "std")
#: What says most of rows unlike the training data: the epistemic uncertainty.
OF_OTHERS = ("mutual_information", "epistemic", "std")

Measures = Mapping[str, MeasureResult]


def chosen(result: Result, preferred: Sequence[str]) -> str | None:
    """The measure that sentences are about: chosen by its meaning, not by what it scored here."""
    known = [name for name in preferred if name in result.measures]
    return next(iter([*known, *result.measures]), None)


def ordered(result: Result, first: str, metric: str, *, ascending: bool) -> Measures:
    """All measures: the chosen one, then the others, the best by a metric first."""

    def place(name: str) -> tuple[bool, float]:
        found = result.measures[name].metrics.get(metric, Estimate(value=None)).value
        badness = float("inf") if found is None else found if ascending else -found
        return name != first, badness

    return {name: result.measures[name] for name in sorted(result.measures, key=place)}


def curves(measures: Measures, points: Callable[[MeasureResult], Points | None]) -> list[Curve]:
    """A curve for each measure that has one."""
    found = ((readable(name), points(measure)) for name, measure in measures.items())
    return [
        Curve(name, list(zip(curve.x, curve.y, strict=True)))
        for name, curve in found
        if curve is not None
    ]


def legend(measures: Measures, metric: str) -> list[Line]:
    """The style of each measure's curve, with a metric of it."""
    return [
        Line(style_of(index), readable(name), interval(measure.metrics[metric]))
        for index, (name, measure) in enumerate(measures.items())
        if metric in measure.metrics
    ]


def table(evaluation: Evaluation, measures: Measures, metrics: Sequence[str]) -> Table:
    """Metrics of measures."""
    known = [name for name in metrics if name in evaluation.about]
    rows = [
        [readable(name), *(interval(measure.metrics[m]) for m in known)]
        for name, measure in measures.items()
        if all(m in measure.metrics for m in known)
    ]
    return Table(["measure", *(evaluation.about[m].title for m in known)], rows)


def roc_figure(
    heading: Heading,
    measures: Measures,
    points: Callable[[MeasureResult], Points | None],
    axes: tuple[str, str],
    numbers: Table,
    metric: str,
) -> Figure:
    """ROC curves of measures.

    Args:
        points: the curve of a measure.
        axes: names of the y and the x axis.
        metric: of the legend.
    """
    found, alarms = axes
    drawing = roc(heading, curves(measures, points), found=found, alarms=alarms)
    reading = (
        "Each threshold on a measure is a point of its line. Toward the upper left is better. "
        "Dotted: chance."
    )
    lines = legend(measures, metric)
    return Figure(heading.title, reading, drawing, numbers, lines, "area under the line")


def histogram_figure(
    heading: Heading, name: str, unit: str, found: Histogram, labels: Sequence[str]
) -> Figure:
    """Histograms of a measure in its first two groups.

    Args:
        name, unit: of the measure.
        labels: of the groups.
    """
    reading = (
        f"Each side sums up to {percent(1.0)}. Where the two overlap, the measure does not tell "
        "them apart."
    )
    counts = list(found.counts.values())[:2]
    first, second = (Group(*pair) for pair in zip(labels, counts, strict=True))
    drawing = histogram(heading, named(readable(name), unit), found.edges, (first, second))
    edges = [f"{edge:.3g}" for edge in found.edges]
    rows = [
        [f"{low} to {high}", f"{one:,}", f"{other:,}"]
        for low, high, one, other in zip(edges, edges[1:], *counts, strict=False)
    ]
    return Figure(heading.title, reading, drawing, Table([readable(name), *labels], rows))
