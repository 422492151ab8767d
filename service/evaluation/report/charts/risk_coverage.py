"""Risk–coverage curve: the error of those rows that are answered (Geifman & El-Yaniv 2017)."""

from collections.abc import Sequence

from markupsafe import Markup

from service.evaluation.report.charts import curves as lines
from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, Format, Point, framed, percent
from service.evaluation.report.charts.scales import Linear, around
from service.evaluation.report.charts.series import Curve

_HEIGHT = 300.0


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
        oracle: the curve of an order that knows the errors.
        risk: name of the y axis, with its unit.
    """
    drawing = Drawing(heading, _HEIGHT)
    everyone = oracle[-1][1]
    risks = [y for curve in curves for x, y in curve.points if x >= 0.05]
    x = Axis(Linear(0.0, 1.0), "share of rows that are answered", percent)
    y = Axis(Linear(*around([*risks, everyone], from_zero=True)), risk, form)
    plot = framed(drawing, x, y)
    plot.area([(0.0, 0.0), *oracle, (1.0, 0.0)], "ideal")
    plot.line(oracle, "ideal", hint="an order that knows the errors")
    plot.line([(0.0, everyone), (1.0, everyone)], "chance", hint="a random order")
    lines.draw(plot, curves)
    return drawing.markup()
