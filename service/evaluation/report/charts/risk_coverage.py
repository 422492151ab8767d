"""Risk–coverage curve: the error of those rows that are answered (Geifman & El-Yaniv 2017)."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from service.evaluation.report.charts import curves as lines
from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, Format, Point, framed, percent
from service.evaluation.report.charts.scales import Linear, around
from service.evaluation.report.charts.series import Curve

_HEIGHT = 300.0
#: Of a smaller share of the rows the risk is mostly chance, and may leave the plot.
_FEW = 0.05


def risk_coverage(
    heading: Heading,
    curves: Sequence[Curve],
    *,
    oracle: Sequence[Point],
    risk: str,
    form: Format = percent,
) -> Markup:
    """Risk over coverage by measure, between the best possible order and a random one.

    Args:
        oracle: the curve of an order that knows the errors, if it is known.
        risk: name of the y axis, with its unit.
    """
    drawing = Drawing(heading, _HEIGHT)
    everyone = curves[0].points[-1][1]
    points = [point for curve in curves for point in curve.points]
    risks = [y for x, y in points if x >= _FEW]
    x = Axis(Linear(_first(points), 1.0), "share of rows that are answered", percent)
    y = Axis(Linear(*around([*risks, everyone], from_zero=True)), risk, form)
    plot = framed(drawing, x, y)
    if oracle:
        plot.area([*oracle, (1.0, 0.0)], "ideal")
        plot.line(oracle, "ideal", hint="an order that knows the errors")
    plot.line([(x.scale.low, everyone), (1.0, everyone)], "chance", hint="a random order")
    lines.draw(plot, curves)
    return drawing.markup()


def _first(points: Sequence[Point]) -> float:
    """Where the axis begins: before it, no measure has any error. At least a fifth is shown."""
    first = min((x for x, y in points if y > 0), default=0.0)
    return min(math.floor(10 * first) / 10, 0.8)
