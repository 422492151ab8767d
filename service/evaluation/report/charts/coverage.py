"""Calibration of intervals: how many targets are inside, over how many should be."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, framed, percent
from service.evaluation.report.charts.scales import Linear
from service.evaluation.report.charts.series import Estimate

_HEIGHT = 300.0


class Level(NamedTuple):
    """Central intervals of one nominal coverage, and the share of targets that they hold."""

    nominal: float
    observed: Estimate


def coverage(heading: Heading, levels: Sequence[Level]) -> Markup:
    """Observed over nominal coverage, with the band of its intervals; the diagonal is ideal."""
    drawing = Drawing(heading, _HEIGHT)
    x = Axis(Linear(0.0, 1.0), "stated coverage of the interval", percent)
    plot = framed(drawing, x, Axis(Linear(0.0, 1.0), "targets inside", percent))
    there = [(level.nominal, level.observed.low) for level in levels]
    back = [(level.nominal, level.observed.high) for level in reversed(levels)]
    plot.line([(0.0, 0.0), (1.0, 1.0)], "ideal")
    plot.area(there + back, "s1")
    plot.line([(level.nominal, level.observed.value) for level in levels], "s1")
    for level in levels:
        hint = f"intervals of {percent(level.nominal)}: {percent(round(level.observed.value, 4))}"
        plot.dot(level.nominal, level.observed.value, "s1", hint=hint)
    return drawing.markup()
