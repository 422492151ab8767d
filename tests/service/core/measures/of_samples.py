"""The values of a measure for given samples."""

from typing import Any

from numpy.typing import NDArray

from service.core.measures import Measure
from service.core.summary import Running

Array = NDArray[Any]


def measured(measure: Measure, samples: Array) -> Array:
    """(B, …) values of a measure of (P, B, …) samples."""
    return Running.start(samples, [measure]).add(samples).summary().value(measure)
