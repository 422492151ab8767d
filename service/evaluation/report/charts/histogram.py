"""Two histograms of a measure that face each other, one for each of two groups of rows."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from service.evaluation.report.charts.drawing import Drawing, Heading, steps
from service.evaluation.report.charts.frame import Axis, Plot, framed, percent
from service.evaluation.report.charts.scales import Linear

_HEIGHT = 300.0


class Group(NamedTuple):
    """Rows of one kind: their name, and how many of them are in each bin."""

    label: str
    counts: Sequence[int]

    @property
    def shares(self) -> list[float]:
        """The share of the group in each bin; zeros for a group without rows."""
        return [count / max(sum(self.counts), 1) for count in self.counts]


def histogram(
    heading: Heading,
    measure: str,
    edges: Sequence[float],
    groups: tuple[Group, Group],
) -> Markup:
    """Shares of the first group upwards and of the second one downwards, so that few rows of one
    kind are as visible as many of the other.

    Args:
        measure: name of the x axis, with its unit.
        edges: bins + 1 values in ascending order.
    """
    drawing = Drawing(heading, _HEIGHT)
    tallest = max((share for group in groups for share in group.shares), default=0.0) or 1.0
    y = Axis(Linear(-tallest * 1.08, tallest * 1.08), "share of each group", _unsigned)
    plot = framed(drawing, Axis(Linear(edges[0], edges[-1]), measure), y)
    for sign, group, style in zip((1, -1), groups, ("s1", "s2"), strict=True):
        _draw(plot, edges, [sign * share for share in group.shares], style)
        place = plot.y.scale(sign * tallest) + (8 if sign > 0 else 0)
        label = f"{group.label}: {sum(group.counts):,}"
        drawing.text(plot.x.scale.end - 4, place, label, "label", "end", style)
    zero = plot.y.scale(0.0)
    drawing.add("line", "base", x1=plot.x.scale.start, x2=plot.x.scale.end, y1=zero, y2=zero)
    return drawing.markup()


def _draw(plot: Plot, edges: Sequence[float], heights: Sequence[float], style: str) -> None:
    outline = [(edges[0], 0.0), *steps(edges, heights), (edges[-1], 0.0)]
    plot.area(outline, style)
    plot.line(outline, style, "solid")


def _unsigned(share: float) -> str:
    return percent(abs(share))
