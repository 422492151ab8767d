"""Lines in one plot, one style for each: the part that risk–coverage and ROC curves share."""

from collections.abc import Sequence

from service.evaluation.report.charts.drawing import style_of
from service.evaluation.report.charts.frame import Plot
from service.evaluation.report.charts.series import Curve


def draw(plot: Plot, curves: Sequence[Curve]) -> None:
    """The curves, the first one on top of the others."""
    for index, curve in reversed(list(enumerate(curves))):
        plot.line(curve.points, style_of(index), hint=curve.label)
