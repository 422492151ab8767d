"""ROC curve: how well a measure separates two groups of rows, at every threshold."""

from collections.abc import Sequence

from markupsafe import Markup

from service.evaluation.report.charts import curves as lines
from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, framed, percent
from service.evaluation.report.charts.scales import Linear
from service.evaluation.report.charts.series import Curve

_HEIGHT = 300.0


def roc(heading: Heading, curves: Sequence[Curve], *, found: str, alarms: str) -> Markup:
    """The share of one group that is found over the share of the other that is taken for it.

    Args:
        found, alarms: names of the y and the x axis.
    """
    drawing = Drawing(heading, _HEIGHT)
    x, y = Axis(Linear(0.0, 1.0), alarms, percent), Axis(Linear(0.0, 1.0), found, percent)
    plot = framed(drawing, x, y)
    plot.line([(0.0, 0.0), (1.0, 1.0)], "chance", hint="chance")
    lines.draw(plot, curves)
    return drawing.markup()
