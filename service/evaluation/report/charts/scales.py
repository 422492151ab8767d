"""Scales: numbers of the data to positions on a drawing, with round ticks."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

#: Steps between ticks, as multiples of a power of ten.
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
#: Units of the drawing from one tick to the next, at least.
_BETWEEN = 45.0


@dataclass(frozen=True)
class Scale(ABC):
    """Maps [low, high] to [start, end]; `start` may be the larger one, as the y axis needs.

    Values outside of the range are placed at its ends, so that nothing is drawn out of the frame.
    """

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0

    def __call__(self, value: float) -> float:
        """The position of a value, in units of the drawing."""
        low, high = self._warp(self.low), self._warp(self.high)
        share = min(max((self._warp(value) - low) / (high - low), 0.0), 1.0)
        return self.start + share * (self.end - self.start)

    @abstractmethod
    def ticks(self) -> list[float]:
        """Round values within the range."""

    @abstractmethod
    def _warp(self, value: float) -> float: ...


@dataclass(frozen=True)
class Linear(Scale):
    """Equal differences are equally far apart."""

    def ticks(self) -> list[float]:
        rough = (self.high - self.low) / max(abs(self.end - self.start) / _BETWEEN, 2.0)
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(
            multiple for multiple in _STEPS if multiple >= rough / power * (1 - 1e-9)
        )
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]

    def _warp(self, value: float) -> float:
        return value


@dataclass(frozen=True)
class Logarithmic(Scale):
    """Equal ratios are equally far apart; both ends are positive."""

    def ticks(self) -> list[float]:
        """Powers of ten, with 2 and 5 times those where the range has fewer than three."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for multiples in ((1,), (1, 2, 5)):
            found = [multiple * 10.0**power for power in powers for multiple in multiples]
            within = [value for value in found if self.low <= value * (1 + 1e-9)]
            within = [value for value in within if value <= self.high * (1 + 1e-9)]
            if len(within) >= 3:
                break
        return within

    def _warp(self, value: float) -> float:
        return math.log10(max(value, self.low))


def around(
    values: Sequence[float], *, from_zero: bool = False, margin: float = 0.06
) -> tuple[float, float]:
    """A range for an axis that holds all finite values, with a margin on both sides.

    Args:
        from_zero: the range begins at 0; for values that are not negative.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if from_zero:
        low = 0.0
    spread = (high - low) or abs(high) or 1.0
    return low if from_zero else low - margin * spread, high + margin * spread
