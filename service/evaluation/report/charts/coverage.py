"""Calibration of a regression: the share of targets below a quantile, or inside of an interval,
over the share that should be."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, framed, percent
from service.evaluation.report.charts.scales import Linear
from service.evaluation.report.charts.series import Estimate

_HEIGHT = 300.0


class Level(NamedTuple):
    """A nominal share of the targets, and the one that was found."""

    nominal: float
    observed: Estimate


def coverage(heading: Heading, levels: Sequence[Level], *, nominal: str, observed: str) -> Markup:
    """Observed over nominal shares, with the band of their intervals; the diagonal is ideal.

    Args:
        nominal, observed: names of the axes."""
    drawing = Drawing(heading, _HEIGHT)
    x = Axis(Linear(0.0, 1.0), nominal, percent)
    plot = framed(drawing, x, Axis(Linear(0.0, 1.0), observed, percent))
    there = [(level.nominal, level.observed.low) for level in levels]
    back = [(level.nominal, level.observed.high) for level in reversed(levels)]
    plot.line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    plot.area(there + back, "s1")
    plot.line([(level.nominal, level.observed.value) for level in levels], "s1")
    for level in levels:
        hint = f"{percent(level.nominal)}: {percent(round(level.observed.value, 4))} observed"
        plot.dot(level.nominal, level.observed.value, "s1", hint=hint)
    return drawing.markup()
