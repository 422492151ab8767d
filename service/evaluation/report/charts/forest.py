"""Forest plot: one metric for each of several settings, with its interval."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import WIDTH, Drawing, Heading, shortened
from service.evaluation.report.charts.frame import Axis, Format, Margins, Plot, framed_across, plain
from service.evaluation.report.charts.scales import Linear, around
from service.evaluation.report.charts.series import Estimate

_ROW = 36.0
_MARGINS = Margins(left=16.0, right=66.0, top=8.0, bottom=22.0)
_CHARACTERS = 48  # of a label, over the line of its row


class Row(NamedTuple):
    """A setting, its estimate, and how that is written."""

    label: str
    estimate: Estimate
    said: str


def forest(
    heading: Heading,
    rows: Sequence[Row],
    *,
    main: int | None,
    form: Format = plain,
) -> Markup:
    """A row for each setting, named above it; the band is the interval of the main one.

    Args:
        main: the index of the row that the others are compared with, if it has one.
    """
    height = _MARGINS.top + _MARGINS.bottom + _ROW * len(rows)
    drawing = Drawing(heading, height)
    ends = [value for row in rows for value in row.estimate]
    by_index = Axis(Linear(-0.5, len(rows) - 0.5), "")
    plot = framed_across(drawing, Axis(Linear(*around(ends)), "", form), by_index, _MARGINS)
    if main is not None and all(map(math.isfinite, rows[main].estimate)):
        across = plot.x.scale(rows[main].estimate.low), plot.x.scale(rows[main].estimate.high)
        drawing.bar(across, (plot.y.scale.start, plot.y.scale.end), "band")
    for index in range(len(rows)):
        _draw(plot, rows, index, "s1" if index == main else "s0")
    return drawing.markup()


def _draw(plot: Plot, rows: Sequence[Row], index: int, style: str) -> None:
    row, place = rows[index], len(rows) - 1 - index  # the first row is at the top
    value, low, high = row.estimate
    label = shortened(row.label, _CHARACTERS)
    plot.drawing.text(0, plot.y.scale(place) - 9, label, "row")
    plot.line([(low, place), (high, place)], "whisker", style)
    plot.dot(value, place, style, hint=f"{row.label}: {row.said}")
    plot.drawing.text(WIDTH, plot.y.scale(place) + 4, row.said, "value", "end")
