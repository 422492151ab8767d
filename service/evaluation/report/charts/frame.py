"""The frame of a plot: grid, ticks, and the names of its axes."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from service.evaluation.report.charts.drawing import WIDTH, Drawing
from service.evaluation.report.charts.scales import Scale

Format = Callable[[float], str]
Point = tuple[float, float]


def plain(value: float) -> str:
    """A tick's number with the digits that it needs; powers of ten beyond six digits."""
    text = f"{value:.6g}"
    return text.replace("-", "−") if "e" not in text else f"{value:.0e}".replace("e+0", "e")


def percent(value: float) -> str:
    """A share as a percentage."""
    return f"{plain(100 * value)}\u00a0%"


def compact(count: int) -> str:
    """A number of rows in at most four characters, such as 950, 1.2k or 35M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0")[:4].rstrip(".") + unit
    return str(count)


@dataclass(frozen=True)
class Axis:
    """One axis: its scale over the data, its name with the unit, and the form of its ticks."""

    scale: Scale
    name: str
    form: Format = plain


@dataclass(frozen=True)
class Plot:
    """An area with two axes in a drawing: numbers of the data in, positions out."""

    drawing: Drawing
    x: Axis
    y: Axis

    def at(self, x: float, y: float) -> Point:
        """The position of a point."""
        return self.x.scale(x), self.y.scale(y)

    def line(self, points: Iterable[Point], *classes: str, hint: str = "") -> None:
        """A line through points of the data."""
        self.drawing.line((self.at(*point) for point in points), *classes, hint=hint)

    def area(self, points: Iterable[Point], *classes: str) -> None:
        """A filled polygon through points of the data."""
        self.drawing.area((self.at(*point) for point in points), *classes)

    def dot(self, x: float, y: float, *classes: str, hint: str = "") -> None:
        """A round mark at a point of the data; none if that is not finite."""
        across, down = self.at(x, y)
        if math.isfinite(across) and math.isfinite(down):
            self.drawing.add("circle", "dot", *classes, cx=across, cy=down, r=4, hint=hint)

    def whisker(self, x: float, low: float, high: float, *classes: str) -> None:
        """A vertical line from `low` to `high` at `x`: the extent of an interval."""
        self.line([(x, low), (x, high)], "whisker", *classes)


@dataclass(frozen=True)
class Margins:
    """Units around a plot, which hold ticks and names.

    Attributes:
        shelf: height of a strip between the plot and the ticks of its x axis, under the same grid.
    """

    left: float = 46.0
    right: float = 18.0
    top: float = 26.0
    bottom: float = 40.0
    shelf: float = 0.0


def framed(drawing: Drawing, x: Axis, y: Axis, margins: Margins = Margins()) -> Plot:
    """A plot that fills the drawing, with the grids, ticks and names of both axes.

    The y axis is named at the top, where it needs no turned text.
    """
    plot = framed_across(drawing, x, y, margins)
    for value in plot.y.scale.ticks():
        place = plot.y.scale(value)
        drawing.add("line", "grid", x1=margins.left, x2=plot.x.scale.end, y1=place, y2=place)
        drawing.text(margins.left - 6, place + 4, y.form(value), "end")
    drawing.text(0, 12, y.name, "name")
    return plot


def framed_across(drawing: Drawing, x: Axis, y: Axis, margins: Margins) -> Plot:
    """A plot that fills the drawing, with the grid, ticks and name of its x axis."""
    left, right = margins.left, WIDTH - margins.right
    top, bottom = margins.top, drawing.height - margins.bottom
    x = replace(x, scale=replace(x.scale, start=left, end=right))
    y = replace(y, scale=replace(y.scale, start=bottom - margins.shelf, end=top))
    for value in x.scale.ticks():
        place = x.scale(value)
        drawing.add("line", "grid", x1=place, x2=place, y1=top, y2=bottom)
        drawing.text(place, bottom + 15, x.form(value), "mid")
    drawing.add("line", "base", x1=left, x2=right, y1=bottom, y2=bottom)
    drawing.text(right, bottom + 32, x.name, "name", "end")
    return Plot(drawing, x, y)
