"""What charts are drawn from."""

from collections.abc import Sequence
from typing import NamedTuple

from service.evaluation.report.charts.frame import Point


class Estimate(NamedTuple):
    """A number and the ends of its confidence interval, all in the number's unit."""

    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """A named line: `points` in the order in which they are joined."""

    label: str
    points: Sequence[Point]
