"""Forest plot: one number for each of several settings or groups, with an interval."""

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
    """A setting or group.

    Attributes:
        estimate: where its dot and its line are.
        said: the number as text.
        note: a word below it.
        style: class of the style sheet.
    """

    label: str
    estimate: Estimate
    said: str
    note: str = ""
    style: str = "s0"


def forest(
    heading: Heading,
    rows: Sequence[Row],
    *,
    against: float | None = None,
    form: Format = plain,
) -> Markup:
    """A row for each number, named above it.

    Args:
        against: where the dotted line is that the rows are compared with.
    """
    height = _MARGINS.top + _MARGINS.bottom + _ROW * len(rows)
    drawing = Drawing(heading, height)
    ends = [value for row in rows for value in row.estimate]
    by_index = Axis(Linear(-0.5, len(rows) - 0.5), "")
    across = Axis(Linear(*around(ends if against is None else [*ends, against])), "", form)
    plot = framed_across(drawing, across, by_index, _MARGINS)
    if against is not None:
        plot.line([(against, by_index.scale.low), (against, by_index.scale.high)], "chance")
    for index, row in enumerate(rows):
        _draw(plot, row, len(rows) - 1 - index)  # the first row is at the top
    return drawing.markup()


def _draw(plot: Plot, row: Row, place: int) -> None:
    value, low, high = row.estimate
    at = plot.y.scale(place)
    plot.drawing.text(0, at - 9, shortened(row.label, _CHARACTERS), "row")
    plot.line([(low, place), (high, place)], "whisker", row.style)
    plot.dot(value, place, row.style, hint=f"{row.label}: {row.said}")
    plot.drawing.text(WIDTH, at + 4, row.said, "value", "end")
    if row.note:
        plot.drawing.text(WIDTH, at + 16, row.note, "small", "label", "end", row.style)
