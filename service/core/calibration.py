"""What the calibration of an output says to the measures that are made by it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: How a prediction set is made (see `service.core.conformal`).
SetMethod: TypeAlias = Literal["lac", "aps"]
#: How a prediction interval is made (see `service.core.conformal`).
IntervalMethod: TypeAlias = Literal["absolute", "normalized", "cqr"]


@dataclass(frozen=True)
class ConformalSet:
    """A rule for prediction sets of a classification.

    Attributes:
        method: of the score of a class.
        coverage: probability that the set of a row like those of the calibration holds its class,
            or all its labels; of several predictions for a row, that each set holds its class.
        threshold: a class is in the set if its score is at most this.
    """

    method: SetMethod
    coverage: float
    threshold: float


@dataclass(frozen=True)
class ConformalInterval:
    """A rule for prediction intervals of a regression.

    Attributes:
        method: of the interval to begin with, and of its scale.
        coverage: probability that an interval holds the target of a row like those of the
            calibration.
        lower, upper: multiples of the scale by which the ends move outwards.
    """

    method: IntervalMethod
    coverage: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Selection:
    """Which answers are accepted: those with a measure on one side of a threshold.

    Of several values of the measure for a row, the least certain one counts.

    Attributes:
        measure: as in a request.
        threshold: itself is accepted.
        at_most: whether values below it are accepted; else those above it.
    """

    measure: str
    threshold: float
    at_most: bool


@dataclass(frozen=True)
class Calibration:
    """What was fitted to an output.

    Attributes:
        temperature: T of the class probabilities; None: not fitted.
        sets: of a classification; the first one is the default.
        intervals: of a regression; the first one is the default.
        selection: of the answers; None: not fitted.
    """

    temperature: float | None = None
    sets: tuple[ConformalSet, ...] = ()
    intervals: tuple[ConformalInterval, ...] = ()
    selection: Selection | None = None
