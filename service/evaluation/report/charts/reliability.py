"""Reliability diagram: the share of right answers over the confidence that was stated."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, Margins, Plot, compact, framed, percent
from service.evaluation.report.charts.scales import Linear
from service.evaluation.report.charts.series import Estimate

_HEIGHT = 300.0
_COUNTS = 56.0  # of the strip with the number of rows, its labels included


class Bin(NamedTuple):
    """Rows whose confidence is between `lower` and `upper`: their number, mean confidence and
    share of right answers."""

    lower: float
    upper: float
    rows: int
    confidence: float
    accuracy: Estimate


def reliability(heading: Heading, bins: Sequence[Bin]) -> Markup:
    """Accuracy and its interval by bin, with the number of rows below.

    The diagonal is perfect calibration; the tinted bar is a bin's distance from it. Bins
    without rows have no point.
    """
    drawing = Drawing(heading, _HEIGHT)
    filled = [found for found in bins if found.rows]
    low = min((found.lower for found in filled), default=0.0)
    x = Axis(Linear(low, 1.0), "stated confidence", percent)
    floor = min((found.accuracy.low for found in filled), default=0.0)
    y = Axis(Linear(min(low, floor), 1.0), "share of right answers", percent)
    plot = framed(drawing, x, y, Margins(shelf=_COUNTS))
    plot.line([(low, low), (1.0, 1.0)], "ideal")
    for found in filled:
        _draw(plot, found)
    _draw_counts(plot, filled)
    return drawing.markup()


def _draw(plot: Plot, found: Bin) -> None:
    middle, accuracy = found.confidence, found.accuracy
    half = (found.upper - found.lower) * 0.42
    sides = (max(middle - half, plot.x.scale.low), min(middle + half, plot.x.scale.high))
    plot.drawing.bar(
        (plot.x.scale(sides[0]), plot.x.scale(sides[1])),
        (plot.y.scale(middle), plot.y.scale(accuracy.value)),
        "gap",
    )
    plot.whisker(middle, accuracy.low, accuracy.high, "s1")
    plot.dot(
        middle,
        accuracy.value,
        "s1",
        hint=f"{found.rows:,} rows of confidence {percent(round(found.lower, 3))} to "
        f"{percent(round(found.upper, 3))}: {percent(round(accuracy.value, 4))} right",
    )


def _draw_counts(plot: Plot, bins: Sequence[Bin]) -> None:
    """A bar and the number of rows for each bin, below the plot."""
    bottom = plot.y.scale.start + _COUNTS
    tallest = max((found.rows for found in bins), default=1)
    for found in bins:
        left, right = plot.x.scale(found.lower), plot.x.scale(found.upper)
        top = bottom - (_COUNTS - 22) * found.rows / tallest
        plot.drawing.bar((left + 1, right - 1), (top, bottom), "count")
        plot.drawing.text((left + right) / 2, top - 3, compact(found.rows), "small", "mid")
