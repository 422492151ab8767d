"""Forest plot: one metric for each of several settings, with its interval."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import Drawing, Heading, shortened
from service.evaluation.report.charts.frame import Axis, Format, Margins, Plot, framed, plain
from service.evaluation.report.charts.scales import Categories, Linear, around
from service.evaluation.report.charts.series import Estimate

_ROW = 24.0
_MARGINS = Margins(left=128.0, right=60.0, top=22.0, bottom=22.0)


class Row(NamedTuple):
    """A setting and its estimate."""

    label: str
    estimate: Estimate


def forest(
    heading: Heading,
    rows: Sequence[Row],
    *,
    main: int,
    form: Format = plain,
) -> Markup:
    """A row for each setting; the band is the interval of the main one, for comparison.

    Args:
        main: the index of the row that the others are compared with.
    """
    height = _MARGINS.top + _MARGINS.bottom + _ROW * len(rows)
    drawing = Drawing(heading, height)
    ends = [value for row in rows for value in row.estimate]
    labels = Axis(Categories.of(len(rows)), "", lambda index: shortened(rows[int(index)].label, 19))
    plot = framed(drawing, Axis(Linear(*around(ends)), "", form), labels, _MARGINS)
    _, low, high = rows[main].estimate
    if math.isfinite(low) and math.isfinite(high):
        across = plot.x.scale(low), plot.x.scale(high)
        drawing.bar(across, (plot.y.scale.start, plot.y.scale.end), "band")
    for index, row in enumerate(rows):
        _draw(plot, index, row, "s1" if index == main else "s0")
    return drawing.markup()


def _draw(plot: Plot, index: int, row: Row, style: str) -> None:
    value, low, high = row.estimate
    plot.line([(low, index), (high, index)], "whisker", style)
    plot.dot(value, index, style, hint=f"{row.label}: {plot.x.form(value)}")
    said = plot.x.form(value) if math.isfinite(value) else "–"
    plot.drawing.text(plot.x.scale.end + 8, plot.y.scale(index) + 4, said, "value")
