"""An error over the number of passes, on a logarithmic axis."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import Drawing, Heading
from service.evaluation.report.charts.frame import Axis, Format, framed, plain
from service.evaluation.report.charts.scales import Linear, Logarithmic, Scale, around
from service.evaluation.report.charts.series import Estimate

_HEIGHT = 300.0
#: A ratio of the largest and the smallest value at which an axis becomes logarithmic.
_WIDE = 20


class After(NamedTuple):
    """What was estimated after a number of passes."""

    passes: int
    estimate: Estimate


def passes(
    heading: Heading,
    metric: str,
    series: Sequence[After],
    *,
    deterministic: float | None = None,
    form: Format = plain,
) -> Markup:
    """Estimates with the band of their intervals, beside the value of the network without dropout.

    Args:
        metric: name of the y axis, with its unit.
    """
    drawing = Drawing(heading, _HEIGHT)
    ends = [value for after in series for value in after.estimate]
    if deterministic is not None:
        ends.append(deterministic)
    y = Axis(_scale(ends), metric, form)
    first, last = series[0].passes, max(series[-1].passes, series[0].passes + 1)
    plot = framed(drawing, Axis(Logarithmic(first, last), "passes, on a logarithmic axis"), y)
    there = [(after.passes, after.estimate.low) for after in series]
    back = [(after.passes, after.estimate.high) for after in reversed(series)]
    plot.area(there + back, "s1")
    if deterministic is not None:
        plot.line([(first, deterministic), (last, deterministic)], "chance", hint="dropout off")
    plot.line([(after.passes, after.estimate.value) for after in series], "s1")
    for after in series:
        hint = f"{after.passes:,} passes: {form(after.estimate.value)}"
        plot.dot(after.passes, after.estimate.value, "s1", hint=hint)
    return drawing.markup()


def _scale(values: Sequence[float]) -> Scale:
    """Logarithmic where few passes are worse by more than a linear axis can show."""
    finite = [value for value in values if math.isfinite(value)]
    if finite and 0 < min(finite) <= max(finite) / _WIDE:
        return Logarithmic(min(finite) / 1.1, max(finite) * 1.1)
    return Linear(*around(finite))
